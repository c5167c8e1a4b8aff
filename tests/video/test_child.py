"""Every kind of clip is read and written within the bounds of the decoding process; elsewhere tests decode in their own."""

from __future__ import annotations

import sys
import zipfile

import pytest

from mgld.video import VideoWriter, child, probe, read_frames
from tests import media

FRAMES = media.coded_frames(3)


def folder(path):
    path.mkdir()
    with VideoWriter(path, 10) as writer:
        for i, rgb in enumerate(FRAMES):
            writer.write(rgb, i / 10)
    return path


def packed(path):
    pictures = folder(path.with_suffix(""))
    with zipfile.ZipFile(path, "w") as archive:
        for picture in pictures.iterdir():
            archive.write(picture, picture.name)
    return path


KINDS = {
    "a.mp4": lambda path: media.make_video(path, FRAMES, 10),
    "a.webm": lambda path: media.make_video(path, FRAMES, 10, codec="libvpx-vp9"),
    "a.gif": lambda path: media.animation(path, FRAMES, [100] * 3, plays=0),
    "a.webp": lambda path: media.animation(path, FRAMES, [100] * 3, plays=0),
    "a.png": lambda path: media.animation(path, FRAMES, [100] * 3, plays=0),
    "a": folder,
    "a.zip": packed,
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_read_within_the_bounds(tmp_path, name):
    path = KINDS[name](tmp_path / name)
    assert [media.number_of(f.rgb_u8) for f in read_frames(path)] == [0, 1, 2]
    assert probe(path).frame_count == 3


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv", "out.gif"])
def test_every_kind_is_written_within_the_bounds(tmp_path, name):
    source = media.make_video(tmp_path / "a.mp4", FRAMES, 10, sound_s=0.3)
    with VideoWriter(tmp_path / name, 10, audio_from=source) as writer:
        for i, rgb in enumerate(FRAMES):
            writer.write(rgb, i / 10)
    known = probe(tmp_path / name)
    assert (known.frame_count, known.has_audio) == (3, name != "out.gif")


@pytest.mark.skipif(sys.platform == "win32", reason="it knows no such bound")
def test_a_decoder_that_outlives_its_test_does_not_bound_this_process(tmp_path):
    """It ended the whole run once: decoded here, in a page's thread, after what kept the bound away had been undone."""
    import resource

    clip = media.make_video(tmp_path / "clip.mp4", FRAMES, fps=10)
    job = {"start_s": 0.0, "max_frames": None, "fps": None, "deinterlace": False}
    before = resource.getrlimit(resource.RLIMIT_CPU)
    assert len(list(child.read(clip, job))) == len(FRAMES) + 1
    assert resource.getrlimit(resource.RLIMIT_CPU) == before
