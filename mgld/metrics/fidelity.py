"""Distance to the ground truth, pixel by pixel: PSNR and SSIM; higher is better for both."""

from __future__ import annotations

import math

import cv2
import numpy as np

PEAK = 255.0
WINDOW_SIGMA = 1.5  # Wang et al. 2004: an 11×11 Gaussian window
WINDOW_RADIUS = 5


def psnr(clip_u8: np.ndarray, truth_u8: np.ndarray) -> float:
    """Return the mean over frames of 10·log10(255² / MSE over RGB), dB, 0…inf, higher is better; clips u8 [T,H,W,3].

    A frame that is exact has an infinite one, which would hide those of all others: it is left out; inf where every frame is exact.
    """
    known = [x for a, b in zip(clip_u8, truth_u8, strict=True) if math.isfinite(x := _frame_psnr(a, b))]
    return float(np.mean(known)) if known else math.inf


def ssim(clip_u8: np.ndarray, truth_u8: np.ndarray) -> float:
    """Return the mean over frames and RGB of SSIM (Wang et al. 2004), -1…1, higher is better; clips u8 [T,H,W,3]."""
    return float(np.mean([_frame_ssim(a, b) for a, b in zip(clip_u8, truth_u8, strict=True)]))


def _frame_psnr(a_u8: np.ndarray, b_u8: np.ndarray) -> float:
    error = np.mean((a_u8.astype(np.float64) - b_u8) ** 2)
    return math.inf if error == 0 else 10 * math.log10(PEAK**2 / error)


def _frame_ssim(a_u8: np.ndarray, b_u8: np.ndarray) -> float:
    """Compare luminance, contrast and structure under the Gaussian window; borders that it would leave are cut."""
    a, b = a_u8.astype(np.float64), b_u8.astype(np.float64)
    c1, c2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
    mean_a, mean_b = _windowed(a), _windowed(b)
    var_a, var_b = _windowed(a * a) - mean_a**2, _windowed(b * b) - mean_b**2
    covariance = _windowed(a * b) - mean_a * mean_b
    likeness = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    likeness /= (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    r = WINDOW_RADIUS
    return float(likeness[r:-r, r:-r].mean())


def _windowed(x: np.ndarray) -> np.ndarray:
    side = 2 * WINDOW_RADIUS + 1
    return cv2.GaussianBlur(x, (side, side), WINDOW_SIGMA, borderType=cv2.BORDER_REFLECT)
