"""Latents of a linear autoencoder move as their pixels do, by fractions of a cell too."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mgld.flow.carry import PixelCarry, carry_of
from mgld.flow.ops import pixel_grid, warp

CELL_PX, CHANNELS = 8, 16


@pytest.fixture
def decoder() -> nn.ConvTranspose2d:
    """Make a linear decoder of smooth patterns: the lowest two-dimensional cosines of each colour."""
    t = (torch.arange(CELL_PX) + 0.5) * torch.pi / CELL_PX
    waves = torch.stack([torch.cos(k * t) for k in range(3)])
    net = nn.ConvTranspose2d(CHANNELS, 3, CELL_PX, stride=CELL_PX)
    patterns = [
        (c, waves[i][:, None] * waves[j]) for i, j in ((0, 0), (0, 1), (1, 0), (1, 1), (0, 2)) for c in range(3)
    ]
    nn.init.zeros_(net.weight)
    for k, (colour, pattern) in enumerate(patterns):
        net.weight.data[k, colour] = pattern
    net.weight.data[15, :] = waves[2][:, None] * waves[0]
    return net


def latents(decoder: nn.ConvTranspose2d, pixels: Tensor) -> Tensor:
    """Encode pixels [N,3,H,W] by least squares."""
    cells = torch.nn.functional.pixel_unshuffle(pixels, CELL_PX)
    inverse = torch.linalg.pinv(decoder.weight.detach().flatten(1))
    return torch.einsum("npij,pc->ncij", cells, inverse)


def picture(shift_px: float) -> Tensor:
    """Draw smooth waves, moved to the left."""
    x, y = (pixel_grid(96, 96, torch.device("cpu"))[0] + torch.tensor([shift_px, 0.0])[:, None, None]).unbind(0)
    return torch.stack([torch.sin(x / 5 + y / 9), torch.cos(x / 6 - y / 7), torch.sin((x + y) / 8)])[None]


def test_what_does_not_move_stays_as_it_is(decoder):
    z = torch.randn(2, CHANNELS, 6, 7)
    torch.testing.assert_close(PixelCarry(decoder)(z, torch.zeros(2, 2, 6, 7)), z, atol=1e-4, rtol=1e-4)


def test_a_whole_cell_is_a_step_on_the_grid(decoder):
    z, flow = torch.randn(1, CHANNELS, 6, 7), torch.zeros(1, 2, 6, 7)
    flow[:, 0] = 1
    torch.testing.assert_close(PixelCarry(decoder)(z, flow)[..., :-1], z[..., 1:], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("shift_px", [1.0, 2.0, 3.5, 5.0])
def test_a_part_of_a_cell_is_what_encoding_the_moved_picture_gives(decoder, shift_px):
    """At least three times nearer than a mean of neighbouring cells."""
    z, moved = latents(decoder, picture(0)), latents(decoder, picture(shift_px))
    flow = torch.zeros(1, 2, 12, 12)
    flow[:, 0] = shift_px / CELL_PX
    inside = (..., slice(2, -2), slice(2, -2))
    through_pixels = (PixelCarry(decoder)(z, flow) - moved)[inside].square().mean().sqrt()
    by_cells = (warp(z, flow) - moved)[inside].square().mean().sqrt()
    assert through_pixels < by_cells / 3


def test_an_autoencoder_without_a_linear_path_warps(decoder):
    assert carry_of(None) is warp and isinstance(carry_of(decoder), PixelCarry)
