"""The cleaning front-end: mends what noise, blur and compression did to small frames, before the autoencoder sees them enlarged."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from mgld.constants import SCALE
from mgld.nets.layers import conv3x3


class Cleaner(ModelMixin, ConfigMixin):
    """Residual blocks at the small size, whose last channels are shuffled into what the enlarged frame lacks.

    A restorer before the generator, as RealBasicVSR's pre-cleaning and DiffBIR's first stage. A fresh one changes nothing.
    """

    @register_to_config
    def __init__(self, channels: int = 64, blocks: int = 5) -> None:
        super().__init__()
        self.first = conv3x3(3, channels)
        self.body = nn.ModuleList(
            nn.Sequential(conv3x3(channels, channels), nn.SiLU(), conv3x3(channels, channels)) for _ in range(blocks)
        )
        self.last = conv3x3(channels, 3 * SCALE**2)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map frames x [N,3,h,w] in [-1,1] to what is to be added to them enlarged, [N,3,4h,4w]."""
        alone = x.device.type == "cpu" and not torch.is_grad_enabled()  # then it stays in the caches
        return torch.cat([self._missing(part) for part in (x.split(1) if alone else (x,))])

    def _missing(self, x: Tensor) -> Tensor:
        h = self.first(x)
        for block in self.body:
            h = h + block(h)
        return F.pixel_shuffle(self.last(h), SCALE)


def seen(lq: Tensor, enlarged: Tensor, cleaner: Cleaner | None) -> Tensor:
    """Return what the autoencoder sees of lq [N,3,h,w] and the same enlarged [N,3,4h,4w]: cleaned, where there is a cleaner."""
    return enlarged if cleaner is None else cleaned(enlarged, cleaner(lq.to(cleaner.dtype)))


def cleaned(enlarged: Tensor, missing: Tensor) -> Tensor:
    """Return enlarged frames [N,3,H,W] with what a Cleaner says they lack, in [-1,1]."""
    return (enlarged + missing.float()).clamp(-1, 1)
