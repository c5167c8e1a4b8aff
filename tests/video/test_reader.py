"""Odd and hostile files: read right, or refused in a sentence."""

from __future__ import annotations

import gc
import re
import shutil
import struct
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from mgld.errors import UserError
from mgld.video import decode, probe, read_frames
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


@pytest.mark.parametrize("order", ["-display_hflip", "-display_vflip", "-display_rotation 90 -display_hflip"])
def test_mirroring_is_applied(tmp_path, order):
    picture = media.flat((0, 0, 0))
    picture[:24, :32] = 255
    plain = media.make_video(tmp_path / "plain.mp4", [picture] * 3)
    media.ffmpeg(*order.split(), "-i", str(plain), "-c", "copy", str(tmp_path / "turned.mp4"))
    seen = next(read_frames(tmp_path / "turned.mp4")).rgb_u8
    assert np.abs(seen.astype(int) - media.ffmpeg_decode(tmp_path / "turned.mp4", *seen.shape[:2])[0]).mean() < 3
    assert "mirrored" in probe(tmp_path / "turned.mp4").notes[0]


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv420p10le"])
def test_every_pixel_of_a_flat_patch_has_its_colour(tmp_path, pixels):
    frames = [media.flat(c, 720, 128) for c in media.PATCHES]
    to_709 = "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd"
    path = media.make_raw(tmp_path / "a.mp4", frames, pixels, "-vf", to_709, "-colorspace", "bt709", "-crf", "1")
    for frame, colour in zip(read_frames(path), media.PATCHES, strict=True):
        assert np.abs(frame.rgb_u8.astype(int) - colour).max() <= 2


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [("a.mov", "qtrle", "argb"), ("a.webm", "libvpx-vp9", "yuva420p"), ("a.mov", "prores_ks", "yuva444p10le")],
)
def test_transparency_is_shown_on_black(tmp_path, name, codec, pixels):
    half = np.full((48, 64, 4), (200, 0, 0, 128), np.uint8)
    path = media.make_raw(tmp_path / name, [half] * 3, pixels, "-c:v", codec, input_pixels="rgba")
    assert np.abs(next(read_frames(path)).rgb_u8.astype(int) - (100, 0, 0)).max() <= 2
    assert "transparency" in probe(path).notes[0]


def test_an_mp4_without_its_index_is_called_incomplete(tmp_path):
    whole = media.make_video(tmp_path / "a.mp4", media.coded_frames(9)).read_bytes()
    (tmp_path / "a.mp4").write_bytes(whole[: whole.index(b"moov") - 4])
    with pytest.raises(UserError, match="incomplete"):
        probe(tmp_path / "a.mp4")


def test_a_cut_mp4_says_how_much_is_there(tmp_path):
    noise = list(np.random.default_rng(0).integers(0, 256, (24, 48, 64, 3), np.uint8))
    plain = media.make_video(tmp_path / "plain.mp4", noise)
    cut = tmp_path / "cut.mp4"
    media.ffmpeg("-i", str(plain), "-c", "copy", "-movflags", "+faststart", str(cut))
    cut.write_bytes(cut.read_bytes()[: int(cut.stat().st_size * 0.6)])
    there = len(list(read_frames(cut)))
    assert 5 <= there < 24
    assert probe(cut).notes == (f"the file is cut off: {there} of 24 frames are there",)


def test_a_live_recording_that_was_cut_off_counts_what_it_knows(tmp_path):
    """Fragments: the header states no count of frames."""
    noise = list(np.random.default_rng(0).integers(0, 256, (12, 48, 64, 3), np.uint8))
    plain, live = media.make_video(tmp_path / "plain.mp4", noise), tmp_path / "live.mp4"
    fragments = ["-movflags", "frag_keyframe+empty_moov", "-g", "3", "-bf", "0"]
    media.ffmpeg("-i", str(plain), *fragments, str(live))
    live.write_bytes(live.read_bytes()[:-2000])
    notes = probe(live).notes
    there = re.fullmatch(r"the file is cut off: (\d+) of (\d+) frames are there", notes[0])
    assert there and 0 < int(there[1]) < int(there[2]) <= 12


def test_a_rate_that_was_found_is_not_called_assumed(tmp_path):
    media.ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x48:r=10:d=0.6", "-c:v", "libtheora", str(tmp_path / "a.ogv"))
    known = probe(tmp_path / "a.ogv")
    assert known.fps == 10 and not any("assumed" in note for note in known.notes)


def test_a_duration_that_is_a_lie_promises_no_more_frames_than_bytes(tmp_path):
    """What is promised is what a result's disk is reckoned from."""
    path = media.make_video(tmp_path / "a.mkv", media.coded_frames(3))
    data = bytearray(path.read_bytes())
    at = data.index(b"\x44\x89\x88") + 3
    data[at : at + 8] = struct.pack(">d", 1e12)
    path.write_bytes(data)
    assert probe(path).frame_count == len(data) and len(list(read_frames(path))) == 3


def test_a_title_in_a_broken_encoding_does_not_matter(tmp_path):
    plain = media.make_video(tmp_path / "plain.mp4", media.coded_frames(2))
    titled = tmp_path / "titled.mp4"
    media.ffmpeg("-i", str(plain), "-c", "copy", "-metadata", "title=AAAAAAAA", str(titled))
    titled.write_bytes(titled.read_bytes().replace(b"AAAAAAAA", b"\xff\xfe\xe9\xe8AAAA"))
    assert numbers(titled) == [0, 1]


def test_a_size_that_changes_midway_is_refused(tmp_path):
    parts = [media.make_video(tmp_path / f"{side}.ts", media.coded_frames(5, side, side)) for side in (48, 96)]
    (tmp_path / "both.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    with pytest.raises(UserError, match="size changes"):
        list(read_frames(tmp_path / "both.ts"))


@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
def test_encryption_is_told_even_where_noise_decodes(tmp_path, name):
    plain = str(media.make_video(tmp_path / "plain.mp4", media.coded_frames(9)))
    key = ["-encryption_scheme", "cenc-aes-ctr", "-encryption_key", "0" * 32, "-encryption_kid", "1" * 32]
    media.ffmpeg("-i", plain, "-c", "copy", *key, str(tmp_path / name))
    for look in (probe, lambda p: list(read_frames(p)), lambda p: list(read_frames(p, start_s=0.2))):
        with pytest.raises(UserError, match="encrypted"):
            look(tmp_path / name)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_every_start_gives_its_own_frame(tmp_path, name):
    plain = media.make_video(tmp_path / "plain.mp4", media.coded_frames(40), fps=10)
    path = tmp_path / name
    media.ffmpeg("-i", str(plain), "-g", "15", "-bf", "3", str(path))
    for start in range(0, 40, 7):  # before, on and after every kind of frame of a group of 15
        assert numbers(path, start_s=start / 10, max_frames=1) == [start]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="counts this process's memory as Linux shows it")
def test_a_long_clip_takes_no_more_memory(tmp_path):
    def resident_mb() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

    path = tmp_path / "a.mp4"
    media.ffmpeg("-f", "lavfi", "-i", "testsrc=s=1280x720:d=4", "-preset", "ultrafast", str(path))
    gc.disable()  # a frame must go when it is done with, not when the collector comes
    try:
        frames = decode.frames(path)  # here, where its memory can be seen
        next(frames)
        before = resident_mb()
        assert sum(1 for _ in frames) == 99
        assert resident_mb() - before < 60  # 99 decoded frames are 130 MB
    finally:
        gc.enable()
