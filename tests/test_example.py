"""example.py does what it says, with the shipped model."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from mgld.video import probe, read_frames
from tests import media

EXAMPLE = Path(__file__).resolve().parent.parent / "example.py"


def test_both_results_and_their_profile_come_out(tmp_path, monkeypatch, clip_u8):
    clip = media.make_video(tmp_path / "clip.mp4", list(clip_u8[:3]), fps=10)
    monkeypatch.setattr(sys, "argv", ["example.py", str(clip), str(tmp_path / "out")])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["mgld.mp4", "per_frame.mp4", "profile.png"]
    known = probe(tmp_path / "out" / "mgld.mp4")
    assert (known.width, known.height, known.frame_count, known.fps) == (96, 80, 3, 10)
    pictures = [next(read_frames(tmp_path / "out" / name)).rgb_u8 for name in ("mgld.mp4", "per_frame.mp4")]
    assert not np.array_equal(*pictures)
    assert Image.open(tmp_path / "out" / "profile.png").width > 500


def test_it_stays_an_example():
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) <= 40
