"""Motion-compensated temporal filter: average each pixel with what it was and will be along the motion, as far as they agree.

Noise and coding artefacts are new in every frame, what is filmed is not. A network that sees one frame takes some of the former for
detail, and draws it anew in every frame; what neighbours agree on can be trusted.
"""

from __future__ import annotations

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from mgld.abreast import abreast
from mgld.device import constant
from mgld.flow.ops import resize_flow, warp

AGREEING = 3.0  # medians of a segment's own differences, so that a noisy clip is averaged as willingly as a clean one
AGREEING_LEVELS = (3.0, 15.0)  # of 255; where flow fails everywhere, even the median says nothing
NEARBY_PX = 1.5  # deviation of the Gaussian in which differences are averaged, in small pixels
GAUSSIAN = tuple(math.exp(-((i / NEARBY_PX) ** 2) / 2) for i in range(-4, 5))


def temporally_filtered(x: Tensor, flow_px: Tensor) -> Tensor:
    """Return enlarged frames x [T,3,H,W] in [-1,1], each averaged with its neighbours along the motion.

    flow_px [2(T-1),2,h,w] is `flow_both_ways` of the frames at about their own size.
    """
    return x if len(x) < 2 else averaged(x, averaging(x, flow_px))


def averaged(x: Tensor, averaging: Tensor) -> Tensor:
    """Return enlarged frames x [N,3,H,W] with what averaging adds to them, [N,3,H/2,W/2]."""
    return x + F.interpolate(averaging, x.shape[-2:], mode="bicubic", align_corners=False)


def averaging(x: Tensor, flow_px: Tensor) -> Tensor:
    """Return what averaging adds to two or more frames x [T,3,H,W], at half their size.

    Two recursive sweeps, one from the first frame and one from the last, carry the mean so far and of how many frames it is. It
    takes part in a frame's mean with a weight of exp(-(d/s)²), d being how much both differ around a place, and s AGREEING medians
    of that between neighbouring frames.
    """
    half = F.avg_pool2d(x, 2)  # holds all that a 4× enlarged frame does
    to_next, to_previous = resize_flow(flow_px, half.shape[-2:]).split(len(x) - 1)
    sweep = partial(_swept, agreeing=_agreeing(half, to_previous))
    both = [(half, to_previous), (half.flip(0), to_next.flip(0))]
    earlier, later = abreast(sweep, both)
    (mean, count), (mean_later, count_later) = (states.tensor_split([3], 1) for states in (earlier, later.flip(0)))
    return (mean * count + mean_later * count_later - half) / (count + count_later - 1) - half


def _agreeing(x: Tensor, to_previous: Tensor) -> Tensor:
    """Return s [], in [-1,1]'s units: how much neighbouring frames differ where the motion is right, which is most places."""
    pairs = zip(x[:-1].split(1), x[1:].split(1), to_previous.split(1), strict=True)
    differences = [_difference(own, _read(before, flow)) for before, own, flow in pairs]
    lowest, highest = (levels / 127.5 for levels in AGREEING_LEVELS)
    return (AGREEING * torch.cat(differences).median()).clamp(lowest, highest)


def _swept(x: Tensor, flow_px: Tensor, agreeing: Tensor) -> Tensor:
    """Return for every frame the mean of it and those before it, and of how many, [T,4,H,W]; flow_px leads back by one frame."""
    states = [torch.cat((x[:1], torch.ones_like(x[:1, :1])), 1)]
    for own, flow in zip(x[1:].split(1), flow_px.split(1), strict=True):
        mean, count = _read(states[-1], flow).tensor_split([3], 1)
        agreed = torch.exp(-(_difference(own, mean) / agreeing).square())
        weight = count.clamp(min=0) * F.interpolate(agreed, own.shape[-2:], mode="bilinear", align_corners=False)
        states.append(torch.cat((torch.lerp(own, mean, weight / (1 + weight)), 1 + weight), 1))
    return torch.cat(states)


def _read(x: Tensor, flow_px: Tensor) -> Tensor:
    """Return x [1,C,H,W] read along a flow; bicubic, or every sweep would soften what it carries on."""
    return warp(x, flow_px, "border", "bicubic")


def _difference(x: Tensor, y: Tensor) -> Tensor:
    """Return the mean difference around each place [1,1,H/2,W/2] of x and y [1,3,H,W]."""
    difference = F.avg_pool2d((x - y).abs().mean(1, keepdim=True), 2)
    line = constant(GAUSSIAN, x.device, x.dtype).div(sum(GAUSSIAN)).view(1, 1, 1, -1)
    difference = F.pad(difference, (len(GAUSSIAN) // 2,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(difference, line), line.transpose(2, 3))
