"""SpyNet: a pyramid of five-layer networks, each correcting the flow of the coarser one (Ranjan & Black 2017)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mgld.flow import ops
from mgld.flow.motion import where_weights_are

LEVELS = 6
MULTIPLE = 2 ** (LEVELS - 1)


class Level(nn.Module):
    """Five 7×7 convolutions: (frame a, warped frame b, flow so far) [N,8,h,w] -> correction [N,2,h,w]."""

    def __init__(self) -> None:
        super().__init__()
        widths = (8, 32, 64, 32, 16, 2)
        layers: list[nn.Module] = []
        for width, wider in zip(widths[:-1], widths[1:], strict=True):
            layers += [nn.Conv2d(width, wider, 7, padding=3), nn.ReLU()]
        self.basic_module = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        return self.basic_module(x)


class SpyNet(nn.Module):
    """Estimate flow_px [N,2,H,W] from a to b, both [N,3,H,W] in [0,1]; keys as in the BasicSR layout."""

    def __init__(self) -> None:
        super().__init__()
        self.basic_module = nn.ModuleList(Level() for _ in range(LEVELS))
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    @where_weights_are
    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        size_hw = tuple(-(-side // MULTIPLE) * MULTIPLE for side in a.shape[-2:])
        pairs = zip(self._pyramid(a, size_hw), self._pyramid(b, size_hw), strict=True)
        flow_px = None
        for level, (first, second) in zip(self.basic_module, pairs, strict=True):
            flow_px = _start(first) if flow_px is None else _enlarge(flow_px)
            flow_px = flow_px + level(torch.cat((first, ops.warp(second, flow_px, "border"), flow_px), 1))
        return ops.resize_flow(flow_px, a.shape[-2:])

    def _pyramid(self, rgb: Tensor, size_hw: tuple[int, ...]) -> list[Tensor]:
        """Return the normalised frame at all levels, coarsest first."""
        x = F.interpolate(rgb, size_hw, mode="bilinear", align_corners=False)
        levels = [(x - self.mean) / self.std]
        for _ in range(LEVELS - 1):
            levels.insert(0, F.avg_pool2d(levels[0], 2))
        return levels


def _start(frame: Tensor) -> Tensor:
    return frame.new_zeros((frame.shape[0], 2, *frame.shape[-2:]))


def _enlarge(flow_px: Tensor) -> Tensor:
    """Double the grid and the vectors; the published network aligns corners here and nowhere else."""
    return 2 * F.interpolate(flow_px, scale_factor=2, mode="bilinear", align_corners=True)
