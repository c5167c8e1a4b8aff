"""A clip made worse: seeded, a quarter of the size, and what is cut is told."""

from __future__ import annotations

import numpy as np

from mgld.__main__ import main
from mgld.video import read_frames
from tests import media


def test_degrade_is_seeded_and_a_quarter_of_the_size(tmp_path):
    clean = media.make_video(tmp_path / "clean.mp4", media.coded_frames(3, 96, 128))
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main(["degrade", str(clean), str(tmp_path / name), "--seed", seed]) == 0
    a, b, c = ([f.rgb_u8 for f in read_frames(tmp_path / name)] for name in "abc")
    assert a[0].shape == (24, 32, 3)
    assert np.array_equal(a, b) and not np.array_equal(a, c)


def test_degrade_says_what_it_cuts_and_refuses_what_would_be_too_small(tmp_path, capsys):
    odd = media.make_video(tmp_path / "odd.mp4", media.coded_frames(2, 100, 134))
    assert main(["degrade", str(odd), str(tmp_path / "low")]) == 0
    assert "the ground truth of 134×100 is cut to 128×96 at its right and lower borders" in capsys.readouterr().err
    small = media.make_video(tmp_path / "small.mp4", media.coded_frames(2, 62, 84))
    assert main(["degrade", str(small), str(tmp_path / "none.mp4")]) == 1
    assert "it must be at least 64×64" in capsys.readouterr().err and not (tmp_path / "none.mp4").exists()


def test_degrade_and_flow_say_what_a_gif_leaves_out(tmp_path, capsys):
    clean = media.make_video(tmp_path / "clean.mkv", media.coded_frames(5, 96, 128), 100)
    for command in ("degrade", "flow"):
        assert main([command, str(clean), str(tmp_path / f"{command}.gif")]) == 0
        assert "a GIF shows at most 50 frames per second: 2 of" in capsys.readouterr().err
