"""The patch discriminator of stages 0 and 2, and the hinge losses."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class PatchDiscriminator(nn.Module):
    """Judge overlapping patches of single frames: x [N,3,H,W] in [-1,1] → logits [N,1,H/8,W/8].

    Spectral normalisation stands where the published PatchGAN has BatchNorm, whose statistics mean little at small batches.
    """

    def __init__(self, channels: int = 48) -> None:
        super().__init__()
        widths = [3, channels, channels * 2, channels * 4]
        layers: list[nn.Module] = []
        for a, b in zip(widths, widths[1:], strict=False):
            layers += [spectral_norm(nn.Conv2d(a, b, 4, stride=2, padding=1)), nn.LeakyReLU(0.2)]
        layers += [spectral_norm(nn.Conv2d(widths[-1], channels * 4, 3, padding=1)), nn.LeakyReLU(0.2)]
        layers += [spectral_norm(nn.Conv2d(channels * 4, 1, 3, padding=1))]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Hinge: ½(relu(1-D(real)) + relu(1+D(fake)))."""
    return 0.5 * (F.relu(1 - real).mean() + F.relu(1 + fake).mean())


def generator_loss(fake: Tensor) -> Tensor:
    """Hinge: -D(fake)."""
    return -fake.mean()
