"""The two critics of few-step distillation: one reads frozen VGG features, one sees pixels beside the enlarged LQ frame."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from mgld.training.discriminator import discriminator_loss, generator_loss

HEAD_WIDTH = 96
FEATURES = ((1, 128), (2, 256), (3, 512))  # group of VGG16 and its width: strides 2, 4 and 8


def _conv(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Module:
    return spectral_norm(nn.Conv2d(inputs, outputs, size, stride, padding=(size - 1) // 2))


class FeatureCritic(nn.Module):
    """Small heads on a frozen network's features (Projected GANs, Sauer et al. 2021): maps [N,C,h,w] → one logit map each.

    Features of natural pictures tell more after a few hundred steps than a critic of pixels learns in thousands.
    """

    def __init__(self, features: tuple[tuple[int, int], ...] = FEATURES, width: int = HEAD_WIDTH) -> None:
        super().__init__()
        self.groups = tuple(group for group, _ in features)
        self.heads = nn.ModuleList(
            nn.Sequential(
                _conv(channels, width, 1), nn.LeakyReLU(0.2), _conv(width, width, 3), nn.LeakyReLU(0.2), _conv(width, 1, 1)
            )
            for _, channels in features
        )  # fmt: skip

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Judge unit-length feature maps; they are scaled to unit size per channel first."""
        return [head(maps[g] * maps[g].shape[1] ** 0.5) for g, head in zip(self.groups, self.heads, strict=True)]


class PairCritic(nn.Module):
    """Judge patches of x [N,3,H,W] beside the enlarged LQ frame, both in [-1,1] → [N,1,H/8,W/8].

    Its first layer runs at full resolution: a hatch of two pixels' period is above what strided layers see.
    """

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = [_conv(6, channels, 3), nn.LeakyReLU(0.2)]
        for a, b in ((1, 2), (2, 4), (4, 4)):
            layers += [_conv(a * channels, b * channels, 4, stride=2), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, _conv(4 * channels, 1, 3))

    def forward(self, x: Tensor, lq: Tensor) -> Tensor:
        return self.layers(torch.cat([x, lq], dim=1))


class Critics(nn.Module):
    """Both critics together; each counts alike."""

    def __init__(self) -> None:
        super().__init__()
        self.of_features, self.of_pairs = FeatureCritic(), PairCritic()

    def forward(self, maps: list[Tensor], x: Tensor, lq: Tensor) -> list[Tensor]:
        """Return every logit map for pictures x, what VGG makes of them, and the enlarged LQ frames."""
        return [*self.of_features(maps), self.of_pairs(x, lq)]


def deceive(fake: list[Tensor]) -> Tensor:
    """Return the generator's hinge loss, the mean over the logit maps."""
    return sum(generator_loss(f.float()) for f in fake) / len(fake)


def tell_apart(real: list[Tensor], fake: list[Tensor]) -> Tensor:
    """Return the critics' hinge loss, the mean over the logit maps."""
    return sum(discriminator_loss(r.float(), f.float()) for r, f in zip(real, fake, strict=True)) / len(fake)
