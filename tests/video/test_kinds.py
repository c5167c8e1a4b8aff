"""Files of other kinds are called by what they are, whatever their names say."""

from __future__ import annotations

import pytest

from mgld.errors import UserError
from mgld.video import kinds, probe


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("clip.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC still picture"),
        ("clip.mp4", b"%PDF-1.7\n", "a PDF document"),
        ("clip.mov", b"Rar!\x1a\x07\x01\0", "a RAR archive"),
        ("clip.webm", b"RIFF\x24\0\0\0WAVEfmt ", r"a sound file \(WAV\)"),
        ("clip.mp4", b"ID3\x04\0\0\0\0\0\0", r"a sound file \(MP3\)"),
        ("clip.svg", b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        ("clip.mp4", b"<!DOCTYPE html><title>404</title>", "a web page"),
        ("clip.mp4", b"\n" * 700 + b"<!-- from a template --><html>", "a web page"),
        ("clip.txt", "grüße, no film\n".encode(), "a text file"),
        ("clip.tar", b"\0" * 257 + b"ustar\x0000" + bytes(300), "a tar archive"),
    ],
)
def test_what_is_no_clip_is_named(tmp_path, name, head, kind):
    (tmp_path / name).write_bytes(head + (b"" if kind.endswith(("file", "page", "drawing")) else bytes(600)))
    with pytest.raises(UserError, match=f"{name} is {kind}, not a clip; this program reads MP4, "):
        probe(tmp_path / name)


def test_bytes_that_say_nothing_have_no_name(tmp_path):
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)))
    assert kinds.told(tmp_path / "noise.mp4") is None
    with pytest.raises(UserError, match="is not a video that can be read here"):
        probe(tmp_path / "noise.mp4")
