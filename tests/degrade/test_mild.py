"""The mild degradation: seeded, in range, and far kinder than RealBasicVSR's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mgld.degrade import degrade
from mgld.degrade.mild import degrade_mildly
from tests.degrade.test_degrade import picture


@pytest.mark.parametrize("seed", range(8))
def test_size_type_and_count(seed):
    clip = degrade_mildly([picture(64)[:48]] * 3, np.random.default_rng(seed))
    assert [(f.shape, f.dtype) for f in clip] == [((12, 16, 3), np.uint8)] * 3


def test_same_seed_same_clip():
    one, two, other = (degrade_mildly([picture()] * 3, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert not np.array_equal(one[0], other[0])


def test_it_costs_far_less_than_the_published_one():
    grey = cv2.normalize(cv2.GaussianBlur(picture(128)[..., 0], (0, 0), 5), None, 0, 255, cv2.NORM_MINMAX)
    clean = np.repeat(grey[..., None], 3, axis=2)  # subsampled chroma would outweigh everything at so small a size
    small = cv2.resize(clean, (32, 32), interpolation=cv2.INTER_AREA).astype(float)

    def loss(function) -> float:
        return np.median([np.abs(function([clean], np.random.default_rng(s))[0] - small).mean() for s in range(12)])

    assert 0 < loss(degrade_mildly) < 0.5 * loss(degrade)
