"""Sampling along optical flow: warp, resize and occlusion, shared by the guidance, the losses and the metrics."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def pixel_grid(height: int, width: int, device: torch.device) -> Tensor:
    """Return the pixel coordinates [1,2,H,W] in float32, channel 0 = x: half precision cannot count past 2048."""
    y, x = torch.meshgrid(
        torch.arange(height, dtype=torch.float32, device=device),
        torch.arange(width, dtype=torch.float32, device=device),
        indexing="ij",
    )
    return torch.stack((x, y))[None]


def sample(x: Tensor, points_px: Tensor, padding: str = "zeros", mode: str = "bilinear") -> Tensor:
    """Read x [N,C,H,W] "bilinear" or "bicubic" at points_px [N,2,h,w] (x, y; pixel centres on whole numbers) -> [N,C,h,w]."""
    height, width = x.shape[-2:]
    # A side of one pixel has no extent to divide by; grid_sample then reads that pixel whatever the number. Divided by numbers, not
    # by a tensor of them: to send one to a GPU is to wait for all that it has still to do.
    across, down = (points_px.float() * 2).unbind(1)
    grid = torch.stack((across / max(width - 1, 1) - 1, down / max(height - 1, 1) - 1), dim=-1)
    return F.grid_sample(x.float(), grid, mode, padding, align_corners=True).to(x.dtype)


def warp(x: Tensor, flow_px: Tensor, padding: str = "zeros", mode: str = "bilinear") -> Tensor:
    """Return x [N,C,H,W] read at p + flow(p), flow_px [N,2,H,W] in pixels; outside is "zeros" or the "border"."""
    return sample(x, pixel_grid(*flow_px.shape[-2:], flow_px.device) + flow_px.float(), padding, mode)


def in_bounds(flow_px: Tensor) -> Tensor:
    """Return float {0,1} [N,1,H,W]: 1 where p + flow(p) lies on the grid."""
    height, width = flow_px.shape[-2:]
    x, y = (pixel_grid(height, width, flow_px.device) + flow_px.float()).unbind(1)
    return ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)).float()[:, None]


def resize_flow(flow_px: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Return flow_px [N,2,H,W] on a grid of size_hw, its vectors scaled along, in float32."""
    height, width = flow_px.shape[-2:]
    across, down = flow_px.float().unbind(1)
    scaled = torch.stack((across * (size_hw[1] / width), down * (size_hw[0] / height)), dim=1)
    return F.interpolate(scaled, size_hw, mode="bilinear", align_corners=False)


def at_least(size_hw: tuple[int, int], side: int) -> tuple[int, int]:
    """Return size_hw, enlarged in its own shape where the shorter side is below side: what coarse pyramids need."""
    factor = max(1.0, side / min(size_hw))
    return round(size_hw[0] * factor), round(size_hw[1] * factor)


def occlusion(flow_ab: Tensor, flow_ba: Tensor) -> tuple[Tensor, Tensor]:
    """Return (occluded_on_a, occluded_on_b), float {0,1} [N,1,h,w], by the forward-backward check.

    |f_ab + warp(f_ba by f_ab)| > 0.01 (|f_ab| + |f_ba|) + 0.5 px, norms not squared and both taken at the same pixel.
    """
    flow_ab, flow_ba = flow_ab.float(), flow_ba.float()
    threshold = 0.01 * (_length(flow_ab) + _length(flow_ba)) + 0.5
    occluded_on_a = _length(flow_ab + warp(flow_ba, flow_ab)) > threshold
    occluded_on_b = _length(flow_ba + warp(flow_ab, flow_ba)) > threshold
    return occluded_on_a.float(), occluded_on_b.float()


def _length(flow_px: Tensor) -> Tensor:
    return torch.hypot(*flow_px.split(1, dim=1))  # a norm over two planes of NCHW costs ten times as much
