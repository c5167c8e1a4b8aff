"""Numbers out of bounds get as far as those who refuse them by their label."""

from __future__ import annotations

import math

import pytest

from mgld.comparison.asked import Asked
from mgld.comparison.request import checked
from mgld.errors import UserError
from mgld.ui.numbers import Number, Slider


@pytest.mark.parametrize("kind", [Number, Slider])
def test_what_a_control_does_not_hold_is_left_to_the_request(kind):
    control = kind(minimum=0, maximum=5, label="Start")
    assert control.preprocess(3) == 3
    for payload in (-1, 6, True, "x"):
        assert control.preprocess(payload) is payload
    assert math.isnan(control.preprocess(math.nan))


def test_the_request_refuses_it_by_its_label(tmp_path):
    (tmp_path / "clip.mp4").touch()
    with pytest.raises(UserError, match="Start.*a number from 0 to"):
        checked(Asked(clip=str(tmp_path / "clip.mp4"), start_s=-1))
