"""What the colour fixes measure, against torch's own slower ways."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from mgld import colour


def test_the_highest_neighbour_is_that_of_max_pooling():
    torch.manual_seed(0)
    x = torch.randn(2, 3, 9, 14) - 3  # all below the zeros that a border must not be
    assert torch.equal(colour._highest(x), F.max_pool2d(x, colour.SIDE, stride=1, padding=colour.SIDE // 2))


def test_adain_gives_mean_and_unbiased_deviation_of_the_reference():
    torch.manual_seed(0)
    x, reference = torch.randn(2, 3, 9, 14) * 2 + 5, torch.randn(2, 3, 9, 14)
    made = torch.std_mean(colour.adain(x, reference), dim=(2, 3))
    torch.testing.assert_close(made, torch.std_mean(reference, dim=(2, 3)), atol=1e-4, rtol=0)


def test_the_lowest_band_is_that_of_dilated_convolutions():
    torch.manual_seed(0)
    x = wanted = torch.randn(2, 3, 40, 56)
    kernel = torch.tensor([1.0, 2.0, 1.0]).outer(torch.tensor([1.0, 2.0, 1.0])).expand(3, 1, 3, 3) / 16
    for reach in (1, 2, 4):
        wanted = F.conv2d(F.pad(wanted, (reach,) * 4, mode="replicate"), kernel, groups=3, dilation=reach)
    torch.testing.assert_close(colour._lowest_band(x, 3), wanted, atol=1e-6, rtol=0)


def chequered(side: int) -> torch.Tensor:
    return (torch.arange(side)[:, None] + torch.arange(side)) % 2 * 2.0 - 1


def test_consistent_takes_the_colour_of_the_input_and_keeps_detail_and_contrast():
    seen = torch.linspace(-0.5, 0.5, 96).expand(1, 3, 96, 96)
    sharp = seen + 0.2 * chequered(96)
    made = colour.consistent(sharp + 0.1, seen)
    torch.testing.assert_close(made[..., 32:-32, 32:-32], sharp[..., 32:-32, 32:-32], atol=1e-5, rtol=0)
    assert colour.adain(sharp + 0.1, seen).std() < 0.95 * sharp.std()  # which is why it is not the default


def test_consistent_meets_the_coarse_picture_part_of_the_way():
    seen, x = torch.zeros(2, 1, 3, 64, 64)
    x[..., 24:40, 24:40] = 0.5  # a patch that the input does not show
    middle = colour.consistent(x, seen)[..., 30:34, 30:34].mean()
    assert 0.25 < middle < (1 - colour.COARSE_SHARE) * 0.5
