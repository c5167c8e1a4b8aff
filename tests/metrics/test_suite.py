"""The suite: a place for every metric, and a reason for every gap."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mgld import host
from mgld.metrics.catalogue import METRICS
from mgld.metrics.suite import Suite


@pytest.fixture
def bare(tmp_path, monkeypatch) -> Suite:
    """Make a suite on a machine without any metric's weights."""
    monkeypatch.setattr(host, "CACHE", tmp_path)
    return Suite("dis")


def test_what_is_absent_is_none_and_says_the_command(bare, clip_u8):
    clip = np.concatenate((clip_u8, clip_u8), 1)
    measured = bare.measure(clip, clip, None, (3,))
    absent = {"lpips", "lpips_alex", "dists", "niqe", "brisque"}
    assert {name for name in METRICS if measured[name] is None} == absent | {
        "psnr",
        "we_excess",
    }  # equal clips: infinite; the truth's own error was not given
    assert set(bare.missing) == absent
    assert all("python -m mgld convert" in why for why in bare.missing.values())
    assert set(measured) == set(METRICS) | {"we_pairs"} and json.dumps(measured, allow_nan=False)
