"""The line that a report draws its temporal profile along."""

from __future__ import annotations

import pytest

from mgld.comparison.report import line_of


@pytest.mark.parametrize("text", ["", "z 0.5", "x 2", "x -1", "x nan", "x 0.5; y", None])
def test_what_is_no_line_is_refused(text):
    assert line_of(text) is None


@pytest.mark.parametrize(("line", "place"), [("x 0", 0), ("x 0.999999", 39), ("y 0.5", 30), ("y 1", 59)])
def test_a_line_is_a_pixel_of_the_layer(line, place):
    assert line_of(line).place(height=40, width=60) == place
