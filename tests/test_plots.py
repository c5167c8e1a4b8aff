"""Figures are pictures of what they are given."""

from __future__ import annotations

import sys
from pathlib import Path
from threading import Thread

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from mgld import plots
from mgld.events import Guided


def decoded(png: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def painted(picture: np.ndarray, colour: str) -> int:
    """Count the pixels of about this colour, #rrggbb."""
    return int((np.abs(picture.astype(int) - tuple(bytes.fromhex(colour[1:]))).sum(2) < 30).sum())


def test_a_profile_marks_segment_borders():
    clip = {"A": np.full((6, 8, 32, 3), 90, np.uint8), "B": np.full((6, 8, 32, 3), 30, np.uint8)}
    assert painted(decoded(plots.temporal_profile(clip, 4, 10.0)), plots.MARK) == 0
    assert painted(decoded(plots.temporal_profile(clip, 4, 10.0, borders=(3,))), plots.MARK) > 200


def test_curves_with_gaps_share_one_figure():
    lines = {"error": {"A": [None, 1.0, 2.0], "B": [None, 2.0, 1.0]}, "sharpness": {"A": [0.1] * 3, "B": [0.2] * 3}}
    picture = decoded(plots.frame_curves(lines, ("#0072B2", "#D55E00"), borders=(1,)))
    assert picture.shape[0] > 400 and (picture < 128).any()


def test_a_method_has_one_colour_alone_and_among_others():
    alone, among = (
        plots.colours_of(["mgld"]),
        plots.colours_of(["bicubic", "per_frame", "mgld", "truth", "Mine", "Yours"]),
    )
    assert alone[0] == among[2] and len(set(among)) == 6


def test_heat_rises_in_lightness_and_hides_in_grey():
    colours = plots.heat(np.array([0.0, 5.0, 10.0, 99.0, np.nan]), top=10.0).astype(int)
    light = colours @ (0.299, 0.587, 0.114)
    assert light[0] < light[1] < light[2] == light[3]
    assert "#" + bytes(colours[4].tolist()).hex() == plots.HIDDEN and plots.HIDDEN not in plots.heat_scale(256)


def test_flow_colours_tell_direction_and_leave_stillness_white():
    right, left, still = (np.full((2, 3, 4), 0, np.float32) for _ in range(3))
    right[0], left[0] = 2, -2
    assert np.all(plots.flow_colours(still) == 255)
    assert tuple(plots.flow_colours(right)[0, 0]) == (255, 0, 0)
    assert tuple(plots.flow_colours(left)[0, 0]) == (0, 255, 255)
    assert plots.flow_colours(right, longest=4.0)[0, 0].min() > 100  # half as fast is half as strong


def test_the_scope_is_drawn_for_still_clips_and_for_sampling_that_moved_nothing():
    hidden = np.zeros((1, 6, 8), bool)
    event = Guided(0, np.zeros((1, 2, 6, 8), np.float32), hidden, (0.2, 0.1), (0.1, 0.1), None)
    assert plots.guidance_scope(event, 0, 0, np.zeros((24, 32, 3), np.uint8)).startswith(b"\x89PNG")


def test_one_step_stands_at_one():
    panels = Figure().subplots(1, 2)
    plots._steps(panels, Guided(0, None, None, (0.2,), (0.1,), None))
    for panel in panels:
        assert [t for t in panel.get_xticks() if panel.get_xlim()[0] <= t <= panel.get_xlim()[1]] == [1]
    assert panels[0].get_ylim()[1] > 0.2


def test_a_sweep_has_a_strip_for_every_strength():
    layers = [np.full((4, 8, 16, 3), 40 * i, np.uint8) for i in range(4)]
    few, many = (
        decoded(plots.sweep_multiples(list(range(n)), layers[:n], {"a": [1.0] * n, "b": [2.0] * n}, {"a": 3.0, "b": None}, 2, 1))
        for n in (3, 4)
    )  # fmt: skip
    assert many.shape[0] > few.shape[0]
    for layer in ("mgld", "bicubic"):
        assert painted(few, plots.LAYER_COLOURS[layer]) > 100, layer
    assert painted(few, plots.LAYER_COLOURS["per_frame"]) == 0  # a colour is a method's own


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts open files as Linux shows them")
def test_threads_that_draw_leave_no_font_open():
    """A server's jobs work in threads of their own; matplotlib opens its fonts for every thread that draws."""
    clip = {"A": np.zeros((2, 8, 32, 3), np.uint8)}
    plots.temporal_profile(clip, 4, 10.0)
    before = open_fonts()
    for _ in range(3):
        thread = Thread(target=plots.temporal_profile, args=(clip, 4, 10.0))
        thread.start()
        thread.join()
    assert open_fonts() == before


def open_fonts() -> int:
    files = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(file.suffix == ".ttf" for file in files)
