"""Which layers a comparison shows while it is made."""

from __future__ import annotations

import numpy as np
import pytest

from mgld.comparison.job import ComparisonJob
from mgld.comparison.request import Material
from mgld.settings import Settings


@pytest.mark.parametrize(("runs", "shown"), [({"mgld": Settings()}, []), ({}, ["bicubic", "x4plus"])])
def test_what_was_made_elsewhere_waits_for_the_first_run_if_there_is_one(runs, shown):
    large = np.zeros((2, 32, 32, 3), np.uint8)
    job = ComparisonJob(None, Material([], 25.0, {"x4plus": large}, None), runs, large)
    assert list(job.layers()) == shown
