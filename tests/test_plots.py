"""Figures are pictures of what they are given."""

from __future__ import annotations

import cv2
import numpy as np

from mgld import plots


def decoded(png: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def marked(picture: np.ndarray) -> int:
    """Count the pixels in the colour of segment borders."""
    return int((np.abs(picture.astype(int) - (0xFF, 0xB0, 0x00)).sum(2) < 30).sum())


def test_a_profile_marks_segment_borders():
    clip = {"A": np.full((6, 8, 32, 3), 90, np.uint8), "B": np.full((6, 8, 32, 3), 30, np.uint8)}
    assert marked(decoded(plots.temporal_profile(clip, 4, 10.0))) == 0
    assert marked(decoded(plots.temporal_profile(clip, 4, 10.0, borders=(3,)))) > 200


def test_curves_with_gaps_share_one_figure():
    lines = {"error": {"A": [None, 1.0, 2.0], "B": [None, 2.0, 1.0]}, "sharpness": {"A": [0.1] * 3, "B": [0.2] * 3}}
    picture = decoded(plots.frame_curves(lines, borders=(1,)))
    assert picture.shape[0] > 400 and (picture < 128).any()


def test_heat_rises_in_lightness_and_hides_in_grey():
    colours = plots.heat(np.array([0.0, 5.0, 10.0, 99.0, np.nan]), top=10.0).astype(int)
    light = colours @ (0.299, 0.587, 0.114)
    assert light[0] < light[1] < light[2] == light[3]
    assert "#" + bytes(colours[4].tolist()).hex() == plots.HIDDEN and plots.HIDDEN not in plots.heat_scale(256)
