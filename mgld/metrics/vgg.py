"""LPIPS on VGG16, with the real weights, kept outside the repository."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from mgld.metrics import stored

# Five groups of 3×3 convolutions; LPIPS reads the output of each group before it is pooled (Zhang et al. 2018).
GROUPS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class Perceptual(nn.Module):
    """LPIPS distance, version 0.1, VGG16 features."""

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        widths = [3, *(w for group in GROUPS for w in group)]
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in zip(widths, widths[1:], strict=False))
        self.weights = nn.ParameterList(torch.zeros(group[-1]) for group in GROUPS)
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(3, 1, 1), persistent=False)

    def features(self, x: Tensor) -> list[Tensor]:
        """Return the five unit-length feature maps of x [N,3,H,W] in [-1,1]."""
        return [unit_length(m) for m in self.maps(x)]

    def maps(self, x: Tensor) -> list[Tensor]:
        """Return the five feature maps as the network makes them."""
        h = ((x - self.shift) / self.scale).contiguous(memory_format=torch.channels_last)
        convs = iter(self.convs)
        maps = []
        for i, group in enumerate(GROUPS):
            h = F.max_pool2d(h, 2) if i else h
            for _ in group:
                h = F.relu(next(convs)(h))
            maps.append(h)
        return maps

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return LPIPS of each pair, [N], lower is closer; x, y [N,3,H,W] in [-1,1]."""
        with torch.no_grad():
            target = self.features(y)
        return self.distance(self.features(x), target)

    def distance(self, maps: list[Tensor], target: list[Tensor]) -> Tensor:
        """Return LPIPS [N] of pictures whose features() are given."""
        parts = zip(maps, target, self.weights, strict=True)
        means = [torch.mean((a - b).square(), (2, 3), dtype=torch.float32) @ w for a, b, w in parts]
        return torch.stack(means).sum(0)


def unit_length(h: Tensor) -> Tensor:
    """Return a map [N,C,h,w] whose places have channels of length 1."""
    length = torch.linalg.vector_norm(h, dim=1, keepdim=True, dtype=torch.float32)
    return h / (length.to(h.dtype) + 1e-10)


def load_perceptual(device: str) -> Perceptual:
    """Return LPIPS with its published weights; raise UserError saying how to get them when absent."""
    state = load_file(stored.VGG.found())
    net = Perceptual()
    net.load_state_dict(state)
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # PyTorch's stubs leave it out
    return net.requires_grad_(False).eval()
