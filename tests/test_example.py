"""example.py and README's Python do what they say, with the shipped model."""

from __future__ import annotations

import re
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


def test_readmes_python_runs_as_it_stands(tmp_path, monkeypatch, clip_u8, capsys):
    media.make_video(tmp_path / "in.mp4", list(clip_u8[:3]), fps=10)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (EXAMPLE.parent / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    for block in (b for b in blocks if "Client(" not in b):  # that one talks to a page
        exec(block, names)
    assert names["large"].shape == (5, 256, 256, 3)
    assert "(3, 80, 96, 3)" in capsys.readouterr().out


def test_it_stays_an_example():
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) <= 40
