"""Old containers and animated pictures are read like any clip, within the same bounds."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, features

from mgld.errors import UserError
from mgld.video import probe, read_frames
from tests import media


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mpg", ["-c:v", "mpeg2video", "-q:v", "2"]),
        ("a.vob", ["-c:v", "mpeg2video", "-q:v", "2", "-f", "vob"]),
        ("a.wmv", ["-c:v", "wmv2", "-q:v", "2"]),
        ("a.flv", ["-c:v", "flv", "-q:v", "2"]),
        ("a.ogv", ["-c:v", "libtheora", "-q:v", "10"]),
    ],
)
def test_old_containers(tmp_path, name, options):
    path = media.make_raw(tmp_path / name, media.coded_frames(12), "yuv420p", *options)
    assert [media.number_of(f.rgb_u8) for f in read_frames(path)] == list(range(12))
    assert probe(path).fps == pytest.approx(25, rel=0.02)


def test_dv(tmp_path):
    path = media.make_raw(
        tmp_path / "a.dv", media.coded_frames(5, 576, 720), "yuv420p", "-c:v", "dvvideo", "-aspect", "4:3"
    )
    assert [media.number_of(f.rgb_u8) for f in read_frames(path)] == list(range(5))


@pytest.mark.parametrize("name", ["a.webp", "a.png"])
def test_animated_pictures_with_their_times(tmp_path, name):
    path = media.animation(tmp_path / name, media.coded_frames(6), [100, 100, 300, 100, 100, 500], plays=0)
    frames = list(read_frames(path))
    assert [media.number_of(f.rgb_u8) for f in frames] == list(range(6))
    assert [f.time_s for f in frames] == pytest.approx([0, 0.1, 0.2, 0.5, 0.6, 0.7])
    known = probe(path)
    assert (known.width, known.height, known.frame_count, known.variable_rate) == (64, 48, 6, True)
    assert [media.number_of(f.rgb_u8) for f in read_frames(path, start_s=0.2, max_frames=2)] == [2, 3]


def test_the_picture_for_viewers_without_animation_is_no_frame(tmp_path):
    first, *others = [Image.fromarray(rgb) for rgb in media.coded_frames(4)]
    first.save(tmp_path / "a.png", save_all=True, append_images=others, default_image=True, duration=200)
    frames = list(read_frames(tmp_path / "a.png"))
    assert [media.number_of(f.rgb_u8) for f in frames] == [1, 2, 3]
    assert [f.time_s for f in frames] == pytest.approx([0, 0.2, 0.4]) and probe(tmp_path / "a.png").frame_count == 3


@pytest.mark.parametrize("name", ["a.webp", "a.png"])
def test_transparency_of_animated_pictures_is_shown_on_black(tmp_path, name):
    frames = [np.full((48, 64, 4), (200, 0, 0, alpha), np.uint8) for alpha in (128, 127)]
    path = media.animation(tmp_path / name, frames, [100, 100], plays=0)
    assert np.abs(next(read_frames(path)).rgb_u8.astype(int) - (100, 0, 0)).max() <= 2
    assert "transparency" in probe(path).notes[0]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
def test_a_still_picture_is_refused_by_its_name(tmp_path, kind):
    Image.fromarray(media.flat((9, 9, 9))).save(tmp_path / "a.mp4", format=kind)
    for look in (probe, lambda p: list(read_frames(p))):
        with pytest.raises(UserError, match=f"still {kind} picture"):
            look(tmp_path / "a.mp4")


def test_an_avif_still_is_one_frame(tmp_path):
    if not features.check("avif"):
        pytest.skip("this Pillow was built without AVIF")
    Image.fromarray(media.flat((200, 40, 40))).save(tmp_path / "a.avif")
    (frame,) = read_frames(tmp_path / "a.avif")
    assert np.abs(frame.rgb_u8.reshape(-1, 3).mean(0) - (200, 40, 40)).max() <= 3


def test_a_huge_animated_canvas_is_refused_from_its_header(tmp_path):
    path = media.animation(tmp_path / "a.webp", media.coded_frames(2), [100, 100], plays=0)
    data = bytearray(path.read_bytes())
    data[24:30] = (16000 - 1).to_bytes(3, "little") * 2
    path.write_bytes(data)
    with pytest.raises(UserError, match="16000×16000"):
        probe(path)


@pytest.mark.parametrize("name", ["a.webp", "a.png"])
def test_a_cut_animation_gives_what_it_has_or_is_refused(tmp_path, name):
    noise = list(np.random.default_rng(0).integers(0, 256, (10, 48, 64, 3), np.uint8))
    path = media.animation(tmp_path / name, noise, [100] * 10, plays=0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    try:
        frames, notes = [], []
        frames = list(read_frames(path, notes=notes))
    except UserError:
        return
    assert 1 <= len(frames) < 10 and "damaged" in notes[0]


def test_an_unreadable_kind_is_told_what_is_read_instead(tmp_path):
    (tmp_path / "a.swf").write_bytes(b"FWS" + bytes(500))
    with pytest.raises(UserError, match="WebM, AVI, MPEG"):
        probe(tmp_path / "a.swf")
