"""Motion between the neighbouring frames of a segment: flow both ways and where it can be trusted."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mgld.flow import ops

FlowNetwork = Callable[[Tensor, Tensor], Tensor]
"""(a, b) [N,3,H,W] in [0,1] on any device -> flow_px [N,2,H,W] there, with a(p) ≈ b(p + flow(p))."""


def where_weights_are(forward: Callable[[nn.Module, Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """Return a network's forward that takes frames from any device to its weights, and the flow back to the frames."""

    @wraps(forward)
    def moved(network: nn.Module, a: Tensor, b: Tensor) -> Tensor:
        device = next(network.parameters()).device
        return forward(network, a.to(device), b.to(device)).to(a.device)

    return moved


class Motion(NamedTuple):
    """Flow and visibility between frames i and i+1, for i = 0 … T-2, all on one grid of h × w."""

    to_next: Tensor  # [T-1,2,h,w] frame i -> i+1
    to_previous: Tensor  # [T-1,2,h,w] frame i+1 -> i
    visible_in_next: Tensor  # [T-1,1,h,w] on frame i's grid: 1 where its pixel is seen in frame i+1
    visible_in_previous: Tensor  # [T-1,1,h,w] on frame i+1's grid: 1 where its pixel is seen in frame i


@torch.no_grad()
def flow_both_ways(rgb: Tensor, network: FlowNetwork) -> Tensor:
    """Return the flow [2(T-1),2,H,W] of rgb [T,3,H,W] in [0,1]: of each frame to the next, then of each to the one before."""
    if len(rgb) < 2:
        return rgb.new_zeros((0, 2, *rgb.shape[-2:])).float()
    earlier, later = rgb[:-1], rgb[1:]
    return network(torch.cat((earlier, later)), torch.cat((later, earlier)))


def estimate_motion(rgb: Tensor, network: FlowNetwork, size_hw: tuple[int, int]) -> Motion:
    """Return the motion of rgb [T,3,H,W] in [0,1] on a grid of size_hw; one frame gives empty tensors."""
    return motion_on(flow_both_ways(rgb, network), size_hw)


@torch.no_grad()
def motion_on(flow_px: Tensor, size_hw: tuple[int, int]) -> Motion:
    """Return the motion of `flow_both_ways` on a grid of size_hw."""
    pairs = len(flow_px) // 2
    if pairs < 1:
        flow, mask = flow_px.new_zeros((0, 2, *size_hw)), flow_px.new_zeros((0, 1, *size_hw))
        return Motion(flow, flow, mask, mask)
    # occlusion is judged on the final grid: half a pixel of doubt means something else at every resolution
    to_next, to_previous = ops.resize_flow(flow_px, size_hw).split(pairs)
    hidden_in_next, hidden_in_previous = ops.occlusion(to_next, to_previous)
    return Motion(to_next, to_previous, 1 - hidden_in_next, 1 - hidden_in_previous)
