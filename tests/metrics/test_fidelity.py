"""PSNR against its closed form, SSIM against scikit-image."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mgld.metrics import fidelity


def test_psnr_of_a_constant_difference_is_its_closed_form():
    dark = np.full((3, 16, 24, 3), 100, np.uint8)
    assert fidelity.psnr(dark, dark + 5) == pytest.approx(20 * math.log10(255 / 5))
    assert fidelity.psnr(dark, dark) == math.inf


def test_psnr_is_the_mean_over_frames_not_of_the_errors():
    dark = np.full((2, 16, 24, 3), 100, np.uint8)
    off = dark + np.array([1, 10], np.uint8)[:, None, None, None]
    assert fidelity.psnr(dark, off) == pytest.approx(20 * math.log10(255) - 10)


def test_exact_frames_do_not_hide_the_psnr_of_the_others():
    """A fade from black begins with some: black ground comes back as it was."""
    dark = np.full((3, 16, 24, 3), 100, np.uint8)
    fade = dark + np.array([0, 5, 5], np.uint8)[:, None, None, None]
    assert fidelity.psnr(dark, fade) == fidelity.psnr(dark[1:], fade[1:])


def test_ssim_agrees_with_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    rng = np.random.default_rng(0)
    a = rng.integers(0, 256, (2, 40, 52, 3), np.uint8)
    b = np.clip(a + rng.normal(0, 30, a.shape), 0, 255).astype(np.uint8)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    wanted = np.mean(
        [metrics.structural_similarity(x, y, channel_axis=2, **options) for x, y in zip(a, b, strict=True)]
    )
    assert fidelity.ssim(a, b) == pytest.approx(wanted, abs=1e-9)
    assert fidelity.ssim(a, a) == pytest.approx(1)
