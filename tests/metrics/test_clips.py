"""Clips in folders: what is found there, and by which name."""

from __future__ import annotations

from pathlib import Path

import pytest

from mgld.constants import CLIP_SUFFIXES, VIDEO_KINDS
from mgld.metrics.clips import clips_in
from mgld.video import refusals

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("suffix", [".mp4", ".TS", ".wmv", ".mpg", ".flv", ".ogv", ".dv", ".gif", ".zip"])
def test_every_kind_that_is_promised_is_found_in_a_folder(tmp_path, suffix):
    clip = tmp_path / f"a{suffix}"
    for path in (clip, tmp_path / "notes.txt", tmp_path / ".hidden.mp4"):
        path.write_bytes(b"x")
    assert clips_in(tmp_path) == {"a": clip}


def test_of_several_files_of_one_name_the_video_is_meant(tmp_path):
    for name in ("a.zip", "a.ts", "a.mp4", "b.zip"):
        (tmp_path / name).write_bytes(b"x")
    assert clips_in(tmp_path) == {"a": tmp_path / "a.mp4", "b": tmp_path / "b.zip"}


def test_what_is_promised_is_found():
    listed = ", ".join(VIDEO_KINDS)
    assert listed in refusals.CLIPS and f"({listed})" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert {suffix for suffixes in VIDEO_KINDS.values() for suffix in suffixes} < set(CLIP_SUFFIXES)
