"""The sequence losses of stage 2, as the paper prints them (Eq. 6 and 7), and two against what pixel shuffling leaves."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mgld.constants import LPIPS_SQUARE_PX
from mgld.device import constant
from mgld.flow import Motion
from mgld.flow.ops import warp

STRUCTURE_WEIGHT = 3.0  # w of Eq. 7
HALF_BAND = (-1, 0, 9, 16, 9, 0, -1)  # ÷ 32: half at a quarter of the sampling rate, flat on both sides of it
SOBEL = (-1.0, 0.0, 1.0, -2.0, 0.0, 2.0, -1.0, 0.0, 1.0)
FLAT_CELL_PX = 16
FLAT_DEVIATION = 6 / 127.5  # of the truth inside a cell, at which it counts half as flat


def frame_difference(x: Tensor, gt: Tensor) -> Tensor:
    """Mean L1 between the frame-to-frame changes of x and gt, both [T,3,H,W] (Eq. 6); 0 for one frame."""
    if len(x) < 2:
        return x.new_zeros(())
    return (x.diff(dim=0) - gt.diff(dim=0)).abs().mean()


def grid_difference(x: Tensor, gt: Tensor, period_px: int) -> Tensor:
    """Mean L1 between what fine detail comes to at each place of the period×period grid, in energy and in sign; x, gt [N,3,H,W].

    Detail of pictures knows no grid, so all places have a like share of its energy (1) and a mean of 0; that of shuffled pixels
    need not: LPIPS and a GAN take a weave for texture. Energy alone would not see a checkerboard, as strong everywhere.
    """
    (energy_x, mean_x), (energy_gt, mean_gt) = (_at_places(picture, period_px) for picture in (x, gt))
    return (energy_x - energy_gt).abs().mean() + (mean_x - mean_gt).abs().mean()


def _at_places(x: Tensor, period_px: int) -> tuple[Tensor, Tensor]:
    """Return each place's share of the energy and its mean in deviations, both [period²]."""
    # torch 2.11's gradient of padded means is wrong on CUDA where channels come last (pytorch#188344)
    detail = x - F.avg_pool2d(x.contiguous(), 3, 1, 1, count_include_pad=False)
    energy, mean = (F.pixel_unshuffle(d.mean((0, 1))[None], period_px).mean((1, 2)) for d in (detail.square(), detail))
    return energy / (energy.mean() + 1e-8), mean / (energy.mean().sqrt() + 1e-4)


def flat_excess(x: Tensor, gt: Tensor) -> Tensor:
    """Mean fine detail that x has beyond gt's where gt is flat, as the deviation above a quarter of the sampling rate; [N,3,H,W].

    LPIPS and critics take a hatch of two to four pixels' period for texture; on flat ground, and where the truth is out of focus,
    it is what the eye sees first. Only the excess counts: what is missing there is theirs to ask for.
    """
    cells_x, cells_gt = (_deviation(_above_half_band(picture)) for picture in (x, gt))
    flatness = 1 / (1 + (_deviation(gt - _cell_mean(gt)) / FLAT_DEVIATION).square())
    return (flatness * F.relu(cells_x - cells_gt)).mean()


def _above_half_band(x: Tensor) -> Tensor:
    """Take out what a half-band filter passes, along rows and columns."""
    n, c, h, w = x.shape
    line = constant(HALF_BAND, x.device, x.dtype).div(sum(HALF_BAND)).view(1, 1, 1, -1)
    margin = len(HALF_BAND) // 2
    low = F.conv2d(F.pad(x.reshape(n * c, 1, h, w), (margin,) * 4, mode="reflect"), line)
    return x - F.conv2d(low, line.transpose(2, 3)).view(n, c, h, w)


def _cell_mean(x: Tensor) -> Tensor:
    return F.interpolate(F.avg_pool2d(x, FLAT_CELL_PX), scale_factor=FLAT_CELL_PX)


def _deviation(x: Tensor) -> Tensor:
    """Return the root mean square of each cell, over colours too, [N,1,H/cell,W/cell]."""
    return F.avg_pool2d(x.square().mean(1, keepdim=True), FLAT_CELL_PX).add(1e-7).sqrt()


def sobel_magnitude(x: Tensor) -> Tensor:
    """Return the gradient magnitude per channel, normalised kernels, replicated borders; x [N,C,H,W]."""
    kernel = constant(SOBEL, x.device, x.dtype).view(3, 3) / 8
    kernels = torch.stack([kernel, kernel.T])[:, None]  # [2,1,3,3]
    n, c, h, w = x.shape
    padded = F.pad(x.reshape(n * c, 1, h, w), (1, 1, 1, 1), mode="replicate")
    gradients = F.conv2d(padded, kernels)
    return gradients.square().sum(1).add(1e-6).sqrt().view(n, c, h, w)


def structure_weighted_consistency(x: Tensor, gt: Tensor, motion: Motion) -> Tensor:
    """Mean L1 between each frame of x and its warped neighbours, heavier on the edges of gt (Eq. 7); [T,3,H,W].

    motion is measured on gt at full resolution. The published code swaps the roles of x and gt (spec §8.3), so that its gradient
    hardly reaches the decoder; this is the loss as printed.
    """
    if len(x) < 2:
        return x.new_zeros(())
    weight = 1 + STRUCTURE_WEIGHT * sobel_magnitude(gt)
    backward = motion.visible_in_next * weight[:-1] * (warp(x[1:], motion.to_next) - x[:-1])
    forward = motion.visible_in_previous * weight[1:] * (warp(x[:-1], motion.to_previous) - x[1:])
    return backward.abs().mean() + forward.abs().mean()


def same_square(x: Tensor, y: Tensor, side_px: int = LPIPS_SQUARE_PX) -> tuple[Tensor, Tensor]:
    """Cut one random square of at most side_px out of both, at the same place, drawn on their device; [N,3,H,W]."""
    for dim in (-2, -1):
        length = x.shape[dim]
        side = min(side_px, length)
        first = (torch.rand(1, device=x.device) * (length - side + 1)).long()
        places = first + torch.arange(side, device=x.device)
        x, y = x.index_select(dim, places), y.index_select(dim, places)
    return x, y
