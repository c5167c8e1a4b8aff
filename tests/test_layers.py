"""The layers of our own where they differ from the obvious form."""

from __future__ import annotations

import pytest
import torch

from mgld.nets.layers import TemporalConv


def moved(channels: int = 6) -> TemporalConv:
    torch.manual_seed(0)
    layer = TemporalConv(channels)
    layer.temporal_alpha.data.fill_(0.3)
    return layer


@pytest.mark.parametrize("frames", [1, 2, 5])
@torch.no_grad()
def test_a_temporal_convolution_is_conv1d_over_the_frames_of_each_clip(frames):
    layer, x = moved(), torch.randn(2 * frames, 6, 4, 3)
    lines = x.unflatten(0, (2, frames)).permute(0, 3, 4, 2, 1).reshape(-1, 6, frames)  # [B·h·w,C,T]
    mixed = layer.temporal_conv(lines).reshape(2, 4, 3, 6, frames).permute(0, 4, 3, 1, 2).flatten(0, 1)
    torch.testing.assert_close(layer(x, frames), 0.3 * mixed + 0.7 * x, atol=1e-5, rtol=0)


def test_it_learns_under_autocast_too():
    layer, x = moved(), torch.randn(6, 6, 4, 3)
    with torch.autocast("cpu", torch.bfloat16):
        layer(x, 3).float().square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in layer.parameters())
