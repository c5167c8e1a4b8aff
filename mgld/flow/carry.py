"""Carry latents along a flow through the pixels that they stand for, where the autoencoder has a linear path to those."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mgld.abreast import abreast
from mgld.flow.ops import warp

Carry = Callable[[Tensor, Tensor], Tensor]
"""(z [N,c,h,w], flow_px [N,2,h,w] in cells) -> z read at p + flow(p), as `warp` does."""


def carry_of(linear_decoder: nn.ConvTranspose2d | None) -> Carry:
    """Return what carries an autoencoder's latents: `warp`, or something better for one with a linear decoder of whole cells."""
    return warp if linear_decoder is None else PixelCarry(linear_decoder)


class PixelCarry:
    """Decode linearly, move the pixels, encode them again; where nothing moves, the latents stay as they are.

    A latent's channels are patterns within a cell of 8×8 pixels. Moved by a fraction of a cell, a pattern becomes others; a mean of
    neighbouring cells' channels, as `warp` takes it, is true of the cell's mean colour alone.
    """

    def __init__(self, linear_decoder: nn.ConvTranspose2d) -> None:
        weight = linear_decoder.weight.detach()  # [c,3,f,f]
        patterns = weight.flatten(1).float().cpu()  # a GPU's solver takes longer to load than this to compute
        self._factor = weight.shape[-1]
        self._to_pixels = patterns.t().contiguous().to(weight.device)
        self._to_cells = torch.linalg.pinv(patterns).t().contiguous().to(weight.device)

    def __call__(self, z: Tensor, flow_px: Tensor) -> Tensor:
        """Return z [N,c,h,w] read at p + flow(p), flow_px [N,2,h,w] in cells; beyond the border, its nearest pixels."""
        # one by one, since pixels take twelve times the memory of their latents; on CPUs one is read by one core
        return torch.cat(abreast(self._carried, list(zip(z.split(1), flow_px.split(1), strict=True))))

    def _carried(self, z: Tensor, flow_px: Tensor) -> Tensor:
        pixels = F.pixel_shuffle(_each(self._to_pixels, z.float()), self._factor)
        moved = F.grid_sample(pixels, self._read_at(flow_px), "bicubic", "border", align_corners=True)
        return _each(self._to_cells, F.pixel_unshuffle(moved, self._factor))

    def _read_at(self, flow_px: Tensor) -> Tensor:
        """Return where each pixel is read, [N,H,W,2] in -1…1, of flow_px [N,2,h,w] in cells.

        In these units from the start: at the pixels' size every further pass costs a tenth of all.
        """
        height, width = (side * self._factor for side in flow_px.shape[-2:])
        across, down = (flow_px.float() * 2 * self._factor).unbind(1)
        shift = torch.stack((across / (width - 1), down / (height - 1)), dim=1)
        points = F.interpolate(shift, (height, width), mode="bilinear", align_corners=False)
        points[:, 0] += torch.linspace(-1, 1, width, device=flow_px.device, dtype=points.dtype)
        points[:, 1] += torch.linspace(-1, 1, height, device=flow_px.device, dtype=points.dtype)[:, None]
        return points.permute(0, 2, 3, 1)


def _each(matrix: Tensor, x: Tensor) -> Tensor:
    """Return matrix [K,C] times the channels at every place of x [N,C,h,w]."""
    return (matrix @ x.flatten(2)).unflatten(2, x.shape[-2:])
