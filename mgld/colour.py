"""Hold the result to the colours of its input: AdaIN and wavelets (as published), or consistently; and what is flat."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mgld.constants import SCALE

WAVELET_LEVELS = 5
COARSE_LEVELS = 2  # what is coarser than about one low-quality pixel
COARSE_SHARE = 0.25  # of what the coarse picture is off that is taken back
LOWEST_LEVELS = 3  # at the low-quality size, where they reach as far as WAVELET_LEVELS
LEVEL = 2 / 255  # one grey level, of x in [-1,1]
BLACK_LEVELS = 2.5  # up to which ground is black: coding leaves that much in the bars around a film
FLAT_LEVELS = 4.0  # that neighbours on flat ground differ by at most
SIDE = 5  # of the ground that has to be flat, or black, in low-quality pixels
FLAT_REACH = 3  # levels of the blur that tells how far flat ground is off: 7 low-quality pixels


def adain(x: Tensor, reference: Tensor) -> Tensor:
    """Give each frame and channel of x [T,3,H,W] the mean and deviation of reference."""
    (mean, std), (mean_ref, std_ref) = _statistics(x), _statistics(reference)
    return (x - mean) / std * std_ref + mean_ref


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    mean = x.mean((2, 3), keepdim=True)
    # fifteen times as fast on CPUs as torch.var_mean, which goes through pixels one by one; unbiased, as published
    variance = (x - mean).square_().sum((2, 3), keepdim=True) / (x[0, 0].numel() - 1)
    return mean, (variance + 1e-5).sqrt()


def wavelet(x: Tensor, reference: Tensor) -> Tensor:
    """Keep the detail of x and take the lowest band of reference; both [T,3,H,W]."""
    return x + _lowest_band(reference - x, WAVELET_LEVELS)


def consistent(x: Tensor, reference: Tensor) -> Tensor:
    """Take the lowest band of reference, and a part of what its coarse picture differs by; both [T,3,H,W].

    One step of back-projection (Irani & Peleg 1991) for a degradation that nobody knows. The detail of x stays, and its contrast:
    AdaIN would give what has been sharpened the deviation of the blurred input.
    """
    frames = zip(x.split(1), reference.split(1), strict=True)  # one is still in a CPU's caches
    return torch.cat([_consistent(*frame) for frame in frames])


def _consistent(x: Tensor, reference: Tensor) -> Tensor:
    off = reference - x
    lowest = _lowest_band(F.avg_pool2d(off, SCALE), LOWEST_LEVELS)
    lowest = F.interpolate(lowest, scale_factor=SCALE, mode="bilinear", align_corners=False)
    coarse = _lowest_band(off, COARSE_LEVELS)
    return coarse.mul_(COARSE_SHARE).add_(lowest, alpha=1 - COARSE_SHARE).add_(x)


def keep_flat(x: Tensor, reference: Tensor) -> Tensor:
    """Give flat ground of x the colour of reference, texture stays; black ground is that of reference; both [T,3,H,W].

    A model that is good on pictures may still lift black bars, or shift the large plain areas that nobody shows it.
    """
    low, made = F.avg_pool2d(reference, SCALE), F.avg_pool2d(x.clamp(-1, 1), SCALE)  # as it will be shown
    spread = (_highest(low) + _highest(-low)).amax(1, keepdim=True)
    flat = (spread <= FLAT_LEVELS * LEVEL).to(x.dtype)
    off = _lowest_band(flat * (low - made), FLAT_REACH) / _lowest_band(flat, FLAT_REACH).clamp(min=1e-3)
    x = x + F.interpolate(flat * off, scale_factor=SCALE, mode="bilinear", align_corners=False)
    dark = (low.amax(1, keepdim=True) <= BLACK_LEVELS * LEVEL - 1).to(x.dtype)
    black = _highest(-_highest(-dark))  # not the dark pixels of a texture
    return torch.where(F.interpolate(black, scale_factor=SCALE) > 0, reference, x)


def _highest(x: Tensor) -> Tensor:
    """Return the highest value of the SIDE × SIDE around each pixel: max_pool2d, which takes CPUs twelve times as long."""
    x = F.pad(x, (SIDE // 2,) * 4, value=-torch.inf)
    return x.unfold(3, SIDE, 1).amax(-1).unfold(2, SIDE, 1).amax(-1)


def _lowest_band(x: Tensor, levels: int) -> Tensor:
    """Blur à trous: 3×3 binomial filters, each dilated twice as far as the one before, replicated borders."""
    for level in range(levels):
        x = _blurred(_blurred(x, 2**level).mT, 2**level).mT
    return x


def _blurred(x: Tensor, reach: int) -> Tensor:
    """Average each pixel of a row with those `reach` to its left and right; CPUs take five times as long for a convolution."""
    width, x = x.shape[-1], F.pad(x, (reach, reach, 0, 0), mode="replicate")
    made = 2 * x[..., reach : reach + width]
    made += x[..., :width]
    made += x[..., 2 * reach :]
    return made.mul_(0.25)
