"""Split a canvas into overlapping tiles and put it together again, for the U-Net (latents) and the autoencoder (pixels)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import torch
from torch import Tensor

from mgld.settings import BLENDS, exhaustive

VARIANCE = 0.01  # of the Gaussian weights, in units of the tile's side


def tile_starts(length: int, tile: int, overlap: int) -> list[int]:
    """Return the offsets of U-Net tiles along one side; the last one ends at the border (spec §6)."""
    stride, starts = tile - overlap, [0]
    while starts[-1] + tile < length:
        starts.append(min(starts[-1] + stride, length - tile))
    return starts


def image_starts(length: int, tile: int, stride: int) -> list[int]:
    """Return the offsets of autoencoder tiles along one side: multiples of the stride, pulled back to fit, no doubles."""
    if length <= tile:
        return [0]
    starts = [min(start, length - tile) for start in range(0, length, stride)]
    return sorted(set(starts))


def gaussian_weights(tile: int) -> Tensor:
    """Return float64 weights [tile,tile]; the published row centre is half a cell off the column centre (spec §6)."""
    cells = torch.arange(tile, dtype=torch.float64)

    def bell(centre: float) -> Tensor:
        return torch.exp(-((cells - centre) ** 2) / tile**2 / (2 * VARIANCE)) / (2 * torch.pi * VARIANCE) ** 0.5

    return bell(tile / 2)[:, None] * bell((tile - 1) / 2)[None, :]


@lru_cache(maxsize=8)
def _weights_on(device: torch.device, tile: int) -> Tensor:
    """Send the weights to a device once, not in every step."""
    return gaussian_weights(tile).to(device, torch.float32)


def tiled(function: Callable[[Tensor, int, int], Tensor], z: Tensor, tile: int, overlap: int) -> Tensor:
    """Apply function(z_tile, y, x) to overlapping tiles of z [T,c,h,w] and return the Gaussian-weighted average, float32.

    A canvas that fits into one tile is handed over whole.
    """
    h, w = z.shape[-2:]
    if h <= tile and w <= tile:
        return function(z, 0, 0)
    weights = _weights_on(z.device, tile)[: min(tile, h), : min(tile, w)]
    total = torch.zeros(z.shape, dtype=torch.float32, device=z.device)
    share = torch.zeros((h, w), dtype=torch.float32, device=z.device)
    for x in tile_starts(w, tile, overlap):
        for y in tile_starts(h, tile, overlap):
            window = (..., slice(y, y + tile), slice(x, x + tile))
            total[window] += weights * function(z[window], y, x)
            share[window] += weights
    return total / share


def image_tiles(x: Tensor, tile_px: int, stride_px: int) -> Iterator[tuple[int, int, Tensor]]:
    """Yield (y, x, tile) over x [T,3,H,W]."""
    for left in image_starts(x.shape[-1], tile_px, stride_px):
        for top in image_starts(x.shape[-2], tile_px, stride_px):
            yield top, left, x[..., top : top + tile_px, left : left + tile_px]


def blend(parts: list[tuple[int, int, Tensor]], size_hw: tuple[int, int], kind: str = "linear") -> Tensor:
    """Put (y, x, tile [T,c,th,tw]) together on a canvas, each weighted as one of WEIGHTS says.

    Linear weights fall towards each tile's border, so no seam shows; MGLD's script averages uniformly, StableSR's by a Gaussian.
    """
    if len(parts) == 1:
        return parts[0][2]
    first = parts[0][2]
    total = torch.zeros((*first.shape[:2], *size_hw), dtype=torch.float32, device=first.device)
    share = torch.zeros(size_hw, dtype=torch.float32, device=first.device)
    for y, x, part in parts:
        h, w = part.shape[-2:]
        weights = WEIGHTS[kind](h, w).to(first.device, torch.float32)
        total[..., y : y + h, x : x + w] += weights * part
        share[y : y + h, x : x + w] += weights
    return total / share


def _linear(h: int, w: int) -> Tensor:
    return _ramp(h)[:, None] * _ramp(w)[None, :]


def _gaussian(h: int, w: int) -> Tensor:
    return gaussian_weights(max(h, w))[:h, :w]


def _ramp(length: int) -> Tensor:
    """Distance to the nearer end, at least one."""
    cells = torch.arange(length, dtype=torch.float32)
    return torch.minimum(cells, cells.flip(0)) + 1


# (h, w) of a tile -> its weights [h,w]; a new way to blend is a line here and its name in settings
WEIGHTS: dict[str, Callable[[int, int], Tensor]] = exhaustive(
    {"linear": _linear, "uniform": torch.ones, "gaussian": _gaussian}, BLENDS
)
