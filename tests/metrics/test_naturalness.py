"""NIQE and BRISQUE: their shared statistics in closed form, and their order on real pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mgld import host
from mgld.metrics import naturalness, stored
from mgld.metrics.clips import read_clip
from mgld.metrics.naturalness import Pristine, Regressor


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """Read one frame of a photograph, u8 [1,256,256,3]."""
    return read_clip(host.ASSETS / "eval" / "gt" / "town", 1)


def worsened(clip_u8: np.ndarray) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(frame, (0, 0), 2) for frame in clip_u8])


@pytest.mark.parametrize(("draw", "shape"), [("normal", 2.0), ("laplace", 1.0)])
def test_the_fit_finds_the_shape_and_both_spreads(draw, shape):
    x = getattr(np.random.default_rng(0), draw)(0, 1, 400_000)
    fit = naturalness._fit(np.where(x < 0, 2 * x, x))
    assert fit.left == pytest.approx(2 * fit.right, rel=0.02)
    even = naturalness._fit(x)
    assert even.alpha == pytest.approx(shape, abs=0.03) and even.mean == pytest.approx(0, abs=0.01)


def test_halving_keeps_a_ramp():
    ramp = np.tile(np.arange(64.0), (64, 1))
    halved = naturalness._halved(ramp)
    assert halved.shape == (32, 32) and halved[:, 4:-4] == pytest.approx(np.tile(2 * np.arange(4.0, 28) + 0.5, (32, 1)))


@pytest.mark.skipif(not stored.NIQE.path.exists(), reason="no NIQE numbers here")
def test_niqe_is_that_of_basicsr_and_prefers_the_photograph(photo):
    model = naturalness.load_niqe()
    assert naturalness.niqe(photo, model) == pytest.approx(3.160756, abs=0.002)  # basicsr 1.4.2's calculate_niqe
    assert naturalness.niqe(worsened(photo), model) > 5
    assert naturalness.niqe(photo[:, :96, :96], model) is None


def test_a_flat_frame_has_no_niqe_and_does_not_hide_that_of_the_others():
    clip, model = (
        np.random.default_rng(0).integers(0, 256, (2, 96, 192, 3), np.uint8),
        Pristine(np.zeros(36), np.eye(36)),
    )
    assert naturalness.niqe(clip, model) > 0
    clip[1, :, 96:] = 255
    assert naturalness.niqe(clip, model) == naturalness.niqe(clip[:1], model)
    assert np.isnan(naturalness.niqe(clip[1:], model))


def test_a_flat_frame_has_no_brisque_and_does_not_hide_that_of_the_others():
    clip, ones = np.random.default_rng(0).integers(0, 256, (2, 32, 48, 3), np.uint8), np.ones(36)
    clip[1] = 0
    model = Regressor(ones[None], ones[:1], 0 * ones, ones, ones[:1] / 1000, ones[:1])
    assert naturalness.brisque(clip, model) == naturalness.brisque(clip[:1], model) < 0
    assert np.isnan(naturalness.brisque(clip[1:], model))


@pytest.mark.skipif(not stored.BRISQUE.path.exists(), reason="no BRISQUE numbers here")
def test_brisque_prefers_the_photograph(photo):
    model = naturalness.load_brisque()
    assert 0 < naturalness.brisque(photo, model) < 40 < naturalness.brisque(worsened(photo), model) < 100
