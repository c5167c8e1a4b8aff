"""Blur kernels: Gaussian, generalised Gaussian, plateau, the 2-D sinc that rings, and the disc of a lens out of focus."""

from __future__ import annotations

import cv2
import numpy as np


def _grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    axis = np.arange(size) - (size - 1) / 2
    return np.meshgrid(axis, axis)


def _mahalanobis(size: int, sigma_x: float, sigma_y: float, angle: float) -> np.ndarray:
    """Return xᵀΣ⁻¹x on the kernel's grid, for an ellipse turned by `angle` radians."""
    x, y = _grid(size)
    u = x * np.cos(angle) + y * np.sin(angle)
    v = -x * np.sin(angle) + y * np.cos(angle)
    return (u / sigma_x) ** 2 + (v / sigma_y) ** 2


def gaussian(size: int, sigma_x: float, sigma_y: float, angle: float, beta: float = 1.0) -> np.ndarray:
    """Return a (generalised) Gaussian kernel, exp(-½·dᵝ), sum 1; beta 1 is the plain one."""
    kernel = np.exp(-0.5 * _mahalanobis(size, sigma_x, sigma_y, angle) ** beta)
    return kernel / kernel.sum()


def plateau(size: int, sigma_x: float, sigma_y: float, angle: float, beta: float) -> np.ndarray:
    """Return a flat-topped kernel, 1/(1+dᵝ), sum 1."""
    kernel = 1 / (1 + _mahalanobis(size, sigma_x, sigma_y, angle) ** beta)
    return kernel / kernel.sum()


def sinc(size: int, cutoff: float) -> np.ndarray:
    """Return the circular low-pass kernel ω·J₁(ω·r)/(2π·r), sum 1; ω is the cut-off in radians per pixel."""
    x, y = _grid(size)
    r = np.hypot(x, y)
    kernel = np.where(
        r > 0, cutoff * _bessel_j1(cutoff * r) / (2 * np.pi * np.maximum(r, 1e-9)), cutoff**2 / (4 * np.pi)
    )
    return kernel / kernel.sum()


def disc(radius_px: float) -> np.ndarray:
    """Return the kernel of a lens out of focus, sum 1, its rim smoothed over one pixel."""
    x, y = _grid(2 * int(np.ceil(radius_px)) + 3)
    kernel = np.clip(radius_px + 0.5 - np.hypot(x, y), 0, 1)
    return kernel / kernel.sum()


def _bessel_j1(x: np.ndarray) -> np.ndarray:
    """Return J₁(x) from its integral (1/π)∫cos(τ - x·sin τ)dτ, exact to 1e-9 for the arguments met here (x < 50)."""
    tau = (np.arange(256) + 0.5) * np.pi / 256
    return np.cos(tau - x[..., None] * np.sin(tau)).mean(-1)


def apply(frame: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Blur float32 [H,W,3] with reflected borders."""
    return cv2.filter2D(frame, -1, kernel.astype(np.float32), borderType=cv2.BORDER_REFLECT_101)
