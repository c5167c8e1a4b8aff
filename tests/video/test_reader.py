"""Odd and hostile files: read right, or refused in a sentence."""

from __future__ import annotations

import shutil

import imageio.v3 as iio
import numpy as np
import pytest

from mgld.errors import UserError
from mgld.video import probe, read_frames
from tests import media


def numbers(path, **options) -> list[int]:
    return [media.number_of(f.rgb_u8) for f in read_frames(path, **options)]


def test_frames_come_in_order_with_their_times(tmp_path):
    path = media.make_video(tmp_path / "a.mp4", media.coded_frames(12), fps=10)
    assert numbers(path) == list(range(12))
    assert [f.time_s for f in read_frames(path)] == pytest.approx([i / 10 for i in range(12)], abs=1e-3)
    known = probe(path)
    assert (known.width, known.height, known.fps, known.frame_count) == (64, 48, 10, 12)
    assert not known.variable_rate and not known.has_audio


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.webm", "a.avi"])
def test_containers(tmp_path, name):
    codec = {"webm": "libvpx", "avi": "mpeg4"}.get(name.split(".")[1], "libx264")
    path = media.make_video(tmp_path / name, media.coded_frames(6), codec=codec)
    assert numbers(path) == list(range(6))


def test_start_and_length(tmp_path):
    path = media.make_video(tmp_path / "a.mp4", media.coded_frames(30), fps=10)
    assert numbers(path, start_s=1.3, max_frames=4) == [13, 14, 15, 16]
    assert next(read_frames(path, start_s=1.3)).time_s == 0


def test_variable_frame_rate_keeps_its_times(tmp_path):
    times = [0, 0.04, 0.08, 0.5, 0.54, 1.2]
    path = media.make_video(tmp_path / "a.mp4", media.coded_frames(6), times_s=times)
    assert [f.time_s for f in read_frames(path)] == pytest.approx(times, abs=2e-3)
    assert probe(path).variable_rate and "variable" in probe(path).notes[0]


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_rotation_is_applied(tmp_path, turn):
    picture = media.flat((0, 0, 0))
    picture[:24, :32] = 255  # white top left corner
    plain = media.make_video(tmp_path / "plain.mp4", [picture] * 3)
    turned = tmp_path / "turned.mp4"
    media.ffmpeg("-display_rotation", str(turn), "-i", str(plain), "-c", "copy", str(turned))
    seen = next(read_frames(turned)).rgb_u8
    witness = media.ffmpeg_decode(turned, *seen.shape[:2])[0]
    assert np.abs(seen.astype(int) - witness).mean() < 3
    assert (probe(turned).height, probe(turned).width) == seen.shape[:2]


def test_pixels_become_square(tmp_path):
    plain = media.make_video(tmp_path / "plain.mp4", media.coded_frames(3))
    wide = tmp_path / "wide.mp4"
    media.ffmpeg("-i", str(plain), "-vf", "setsar=2/1", str(wide))
    assert next(read_frames(wide)).rgb_u8.shape == (48, 128, 3)
    assert probe(wide).width == 128


@pytest.mark.parametrize("height", [48, 720])
@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize("span", ["tv", "pc"])
def test_colours_survive_every_matrix_and_range(tmp_path, height, matrix, span):
    raw = tmp_path / "a.rgb"
    raw.write_bytes(b"".join(media.flat(c, height, 128).tobytes() for c in media.PATCHES))
    path = tmp_path / "a.mp4"
    named = {"bt601": "smpte170m", "bt709": "bt709"}[matrix]
    media.ffmpeg(
        "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"128x{height}", "-i", str(raw),
        "-vf", f"scale=out_color_matrix={matrix}:out_range={span}:flags=accurate_rnd,format=yuv444p",
        "-colorspace", named, "-color_range", span, "-crf", "1", str(path),
    )  # fmt: skip
    for frame, colour in zip(read_frames(path), media.PATCHES, strict=True):
        assert np.abs(frame.rgb_u8.reshape(-1, 3).mean(0) - colour).max() <= 2


def test_gif_and_folder(tmp_path):
    frames = media.coded_frames(5)
    iio.imwrite(tmp_path / "a.gif", frames, duration=[100, 100, 300, 100, 100], loop=0)
    assert numbers(tmp_path / "a.gif") == list(range(5))
    assert [f.time_s for f in read_frames(tmp_path / "a.gif")] == pytest.approx([0, 0.1, 0.2, 0.5, 0.6], abs=0.011)
    folder = tmp_path / "frames"
    folder.mkdir()
    for i in (0, 2, 10, 1):
        iio.imwrite(folder / f"f{i}.png", frames[min(i, 4)])
    assert numbers(folder) == [0, 1, 2, 4]  # natural order: 10 comes last
    assert probe(folder).frame_count == 4


def test_one_frame(tmp_path):
    path = media.make_video(tmp_path / "a.mp4", media.coded_frames(1))
    assert numbers(path) == [0] and probe(path).frame_count == 1


def test_a_cut_file_gives_what_it_has(tmp_path):
    noise = list(np.random.default_rng(0).integers(0, 256, (30, 48, 64, 3), np.uint8))
    whole = media.make_video(tmp_path / "a.mkv", noise)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.6)])
    assert 5 <= len(list(read_frames(cut))) < 30


def test_hdr_is_refused_with_its_name(tmp_path):
    plain = media.make_video(tmp_path / "a.mp4", media.coded_frames(3))
    media.ffmpeg("-i", str(plain), "-vf", "setparams=color_trc=smpte2084", str(tmp_path / "hdr.mp4"))
    with pytest.raises(UserError, match="PQ"):
        probe(tmp_path / "hdr.mp4")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.mp4", b""),
        ("text.mp4", b"hello, I am not a video\n" * 20),
        ("noise.mp4", np.random.default_rng(0).bytes(5000)),
        ("list.mp4", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"),
        ("concat.mp4", b"ffconcat version 1.0\nfile /etc/hostname\n"),
        ("sdp.mp4", b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    for look in (probe, lambda p: list(read_frames(p))):
        with pytest.raises(UserError):
            look(tmp_path / name)


def test_sizes_outside_the_limits_are_refused(tmp_path):
    for size, word in (((8, 8), "at least"), ((16, 400), "eight times")):
        path = media.make_video(tmp_path / "a.mp4", media.coded_frames(2, *size))
        with pytest.raises(UserError, match=word):
            probe(path)


def test_sound_without_picture_is_refused(tmp_path):
    both = media.make_video(tmp_path / "a.mp4", media.coded_frames(5), sound_s=0.2)
    media.ffmpeg("-i", str(both), "-vn", "-c", "copy", str(tmp_path / "b.m4a"))
    with pytest.raises(UserError, match="no video"):
        probe(tmp_path / "b.m4a")


def test_a_name_is_never_an_option_or_a_protocol(tmp_path, monkeypatch):
    path = media.make_video(tmp_path / "a.mp4", media.coded_frames(2))
    monkeypatch.chdir(tmp_path)
    shutil.copy(path, "-i.mp4")
    assert numbers("-i.mp4") == [0, 1]
    with pytest.raises(UserError, match="no file"):
        probe("http://127.0.0.1:9/a.mp4")
