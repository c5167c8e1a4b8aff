"""How natural a picture's statistics are, without a reference: NIQE and BRISQUE; lower is better for both.

Both divide out local mean and contrast, and describe what is left, and its products with its neighbours, by asymmetric
generalised Gaussians at two scales: 36 numbers. NIQE compares them with those of pristine photographs, BRISQUE asks a trained SVM.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import load_file

from mgld.constants import LUMA
from mgld.metrics import stored

BLOCK = 96  # NIQE judges blocks of this side
WINDOW_SIDE, WINDOW_SIGMA = 7, 7 / 6
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))


class Pristine(NamedTuple):
    """NIQE's model of undistorted photographs: mean [36] and covariance [36,36] of the features."""

    mean: np.ndarray
    covariance: np.ndarray


class Regressor(NamedTuple):
    """BRISQUE's support vector regression: vectors [N,36], coefficients [N], feature ranges [36], RBF γ and ρ, [1] each."""

    vectors: np.ndarray
    coefficients: np.ndarray
    low: np.ndarray
    high: np.ndarray
    gamma: np.ndarray
    rho: np.ndarray


def load_niqe() -> Pristine:
    """Return the published model of pristine photographs; raise UserError saying how to get it when absent."""
    return Pristine(**load_file(stored.NIQE.found()))


def load_brisque() -> Regressor:
    """Return the published regression; raise UserError saying how to get it when absent."""
    return Regressor(**load_file(stored.BRISQUE.found()))


def niqe(clip_u8: np.ndarray, model: Pristine) -> float | None:
    """Return the mean over frames of NIQE (Mittal et al. 2013, Eq. 10), ≥ 0, lower is better; clip u8 [T,H,W,3].

    On Y of BT.601 in 16…235, rounded, blocks of 96². Frames with fewer than two blocks that are not flat have none and are
    left out: NaN if all are such. None where a frame is too small for two blocks. Few blocks inflate it: compare only clips of
    one size.
    """
    if (clip_u8.shape[1] // BLOCK) * (clip_u8.shape[2] // BLOCK) < 2:
        return None
    return _known_mean(_frame_niqe(frame, model) for frame in clip_u8)


def brisque(clip_u8: np.ndarray, model: Regressor) -> float:
    """Return the mean over frames of BRISQUE (Mittal et al. 2012), about 0…100, lower is better; clip u8 [T,H,W,3].

    The regression is the one in PyPI's brisque, fitted to features of frames halved by plain bicubic, as here. MATLAB's release
    has another one: its numbers, and so the paper's, agree in order but not digit by digit.
    Flat frames have none and are left out: NaN if all are such.
    """
    return _known_mean(_frame_brisque(frame, model) for frame in clip_u8)


def _known_mean(of_frames: Iterable[float]) -> float:
    known = [value for value in of_frames if math.isfinite(value)]
    return float(np.mean(known)) if known else math.nan


def _frame_niqe(frame_u8: np.ndarray, model: Pristine) -> float:
    luma = np.rint(16 + frame_u8.astype(np.float64) @ np.array([65.481, 128.553, 24.966]) / 255)
    luma = luma[: luma.shape[0] // BLOCK * BLOCK, : luma.shape[1] // BLOCK * BLOCK]
    scales = ((luma, BLOCK), (_halved(luma), BLOCK // 2))
    features = np.concatenate([_block_features(_normalised(x, cv2.BORDER_REPLICATE), side) for x, side in scales], 1)
    complete = features[~np.isnan(features).any(1)]
    if len(complete) < 2:  # flat ground has no statistics, and one block no covariance
        return math.nan
    shift = model.mean - np.nanmean(features, 0)
    covariance = (model.covariance + np.cov(complete, rowvar=False)) / 2
    return float(np.sqrt(shift @ np.linalg.pinv(covariance) @ shift))


def _frame_brisque(frame_u8: np.ndarray, model: Regressor) -> float:
    luma = np.rint(frame_u8.astype(np.float64) @ np.array(LUMA))
    small = cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_CUBIC)
    features = np.concatenate([_variances(_normalised(x, cv2.BORDER_CONSTANT)) for x in (luma, small)])
    scaled = 2 * (features - model.low) / (model.high - model.low) - 1
    kernel = np.exp(-model.gamma * np.square(model.vectors - scaled).sum(1))
    return float(model.coefficients @ kernel - model.rho[0])


def _normalised(luma: np.ndarray, border: int) -> np.ndarray:
    """Return (x − local mean) / (local deviation + 1) of luma [H,W] in 0…255 (Eq. 1 of both papers)."""
    window = cv2.getGaussianKernel(WINDOW_SIDE, WINDOW_SIGMA)
    mean = cv2.sepFilter2D(luma, -1, window, window, borderType=border)
    square = cv2.sepFilter2D(luma * luma, -1, window, window, borderType=border)
    return (luma - mean) / (np.sqrt(np.abs(square - mean**2)) + 1)


def _block_features(x: np.ndarray, side: int) -> np.ndarray:
    """Return the 18 features of every block of x [H,W], [blocks,18]; spreads are NIQE's β."""
    rows, columns = x.shape[0] // side, x.shape[1] // side
    blocks = x.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side, side)
    return np.array([_features(block, lambda fit: fit.betas) for block in blocks])


def _variances(x: np.ndarray) -> np.ndarray:
    """Return the 18 features of x [H,W] as BRISQUE wants them; spreads are variances."""
    return np.array(_features(x, lambda fit: (fit.left**2, fit.right**2)))


def _features(x: np.ndarray, spreads: Callable[[_Fit], tuple[float, float]]) -> list[float]:
    """Return shape and spread of x, and shape, mean and both spreads of its product with each of four neighbours."""
    fit = _fit(x)
    features = [fit.alpha, float(np.mean(spreads(fit)))]
    for shift in NEIGHBOURS:
        fit = _fit(x * np.roll(x, shift, (0, 1)))
        features += [fit.alpha, fit.mean, *spreads(fit)]
    return features


class _Fit(NamedTuple):
    """An asymmetric generalised Gaussian: shape and the deviations of its two sides."""

    alpha: float
    left: float
    right: float

    @property
    def betas(self) -> tuple[float, float]:
        scale = math.sqrt(math.gamma(1 / self.alpha) / math.gamma(3 / self.alpha))
        return self.left * scale, self.right * scale

    @property
    def mean(self) -> float:
        left, right = self.betas
        return (right - left) * math.gamma(2 / self.alpha) / math.gamma(1 / self.alpha)


def _fit(x: np.ndarray) -> _Fit:
    """Match the moments of x (Lasmar et al. 2009); NaN sides where x has no value of a sign."""
    left, right = (math.sqrt(np.square(side).mean()) if side.size else math.nan for side in (x[x < 0], x[x > 0]))
    ratio = left / right
    moment = np.abs(x).mean() ** 2 / max(np.square(x).mean(), 1e-300)
    moment *= (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shapes, moments = _shapes()
    return _Fit(float(shapes[np.argmin((moments - moment) ** 2)]), left, right)


@cache
def _shapes() -> tuple[np.ndarray, np.ndarray]:
    """Tabulate the ratio of moments Γ(2/α)² / (Γ(1/α)Γ(3/α)) over the shapes α that the authors search."""
    shapes = np.arange(0.2, 10.001, 0.001)
    moments = [math.gamma(2 / a) ** 2 / (math.gamma(1 / a) * math.gamma(3 / a)) for a in shapes]
    return shapes, np.array(moments)


def _halved(luma: np.ndarray) -> np.ndarray:
    """Halve luma [H,W] with even sides as MATLAB's imresize does: antialiased bicubic, mirrored borders."""
    x = torch.from_numpy(np.pad(luma, 4, "symmetric"))[None, None]
    return F.interpolate(x, scale_factor=0.5, mode="bicubic", antialias=True)[0, 0, 2:-2, 2:-2].numpy()
