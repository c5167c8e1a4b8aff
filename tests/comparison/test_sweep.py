"""The strengths that a sweep tries."""

from __future__ import annotations

import pytest

from mgld.comparison import sweep


@pytest.mark.parametrize("text", ["1, 2", "0,1,2,3,4,5", "a, b, c", "0, 1, 101", "", "1 1 1"])
def test_sweeps_refuse_what_is_no_list_of_strengths(text):
    with pytest.raises(Exception, match="3 to 5 different numbers"):
        sweep.strengths_of(text)
