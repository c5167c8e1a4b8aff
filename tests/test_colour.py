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
