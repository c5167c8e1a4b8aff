"""Sides doubled and convolved in one step: the same as one after the other, and where it is done."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from diffusers.models.upsampling import Upsample2D
from torch import nn

from mgld.nets import doubling
from mgld.nets.blocks import enlarged


@pytest.fixture
def block() -> Upsample2D:
    torch.manual_seed(0)
    return Upsample2D(24, use_conv=True, out_channels=20).requires_grad_(False)


@pytest.mark.parametrize(("n", "height", "width"), [(1, 16, 16), (3, 9, 13), (2, 300, 1)])
@torch.no_grad()
def test_the_result_is_the_blocks_in_float64(block, n, height, width):
    x = torch.randn(n, 24, height, width)
    doubled = F.interpolate(x.double(), scale_factor=2, mode="nearest")
    wanted = F.conv2d(doubled, block.conv.weight.double(), block.conv.bias.double(), padding=1)
    assert doubling.doubles(block.conv, x)
    assert (enlarged(block, x) - wanted).norm() / wanted.norm() < 1e-6


@torch.no_grad()
def test_in_half_precision_it_is_as_near_as_the_block(block):
    x, exact = torch.randn(2, 24, 16, 16).bfloat16(), block.conv.weight.double()
    doubled = F.interpolate(x.double(), scale_factor=2, mode="nearest")
    wanted = F.conv2d(doubled, exact, block.conv.bias.double(), padding=1)
    block.bfloat16()
    ours, theirs = ((made.double() - wanted).norm() / wanted.norm() for made in (enlarged(block, x), block(x)))
    # sums of weights are rounded once more, to 8 bits; without bfloat16's own instructions partial sums are too
    assert ours < 1.5 * theirs + 2**-9


@torch.no_grad()
def test_weights_that_change_are_seen(block):
    x = torch.randn(1, 24, 16, 16)
    enlarged(block, x)
    block.conv.weight.mul_(2)
    block.conv.bias.zero_()
    torch.testing.assert_close(enlarged(block, x), block(x), atol=1e-4, rtol=0)


def test_gradients_few_pixels_and_many_channels_go_diffusers_way(block):
    x = torch.randn(1, 24, 16, 16, requires_grad=True)
    enlarged(block, x).sum().backward()
    assert torch.equal(enlarged(block, x), block(x)) and x.grad is not None
    with torch.no_grad():
        assert doubling.doubles(block.conv, x) and not doubling.doubles(block.conv, x[..., :15])
        large = nn.Conv2d(640, 640, 3, padding=1, device="meta")  # of the paper's model
        assert not doubling.doubles(large, torch.empty(1, 640, 32, 32))
