"""Distance to the ground truth as a network sees it: LPIPS (VGG16, AlexNet) and DISTS; lower is closer for all."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from mgld.metrics import stored
from mgld.metrics.vgg import GROUPS, Perceptual, load_perceptual

STABILISER = 1e-6  # c1 and c2 of DISTS


class AlexPerceptual(Perceptual):
    """LPIPS distance, version 0.1, AlexNet features: the one that most tables print."""

    def __init__(self) -> None:
        super().__init__()
        convs = [
            nn.Conv2d(3, 64, 11, stride=4, padding=2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.Conv2d(256, 256, 3, padding=1),
        ]
        self.convs = nn.ModuleList(convs)
        self.weights = nn.ParameterList(torch.zeros(conv.out_channels) for conv in convs)

    def maps(self, x: Tensor) -> list[Tensor]:
        """Return the five feature maps of x [N,3,H,W] in [-1,1]."""
        h, maps = (x - self.shift) / self.scale, []
        for i, conv in enumerate(self.convs):
            h = F.relu(conv(F.max_pool2d(h, 3, 2) if i in (1, 2) else h))
            maps.append(h)
        return maps


class Dists(nn.Module):
    """DISTS: likeness of texture (means) and structure (covariances) of VGG16's maps (Ding et al. 2020)."""

    window: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, vgg: Perceptual) -> None:
        super().__init__()
        self.convs = vgg.convs
        channels = 3 + sum(group[-1] for group in GROUPS)
        self.alpha = nn.Parameter(torch.zeros(channels))
        self.beta = nn.Parameter(torch.zeros(channels))
        hann = torch.hann_window(5, periodic=False)[1:-1]
        window = hann[:, None] * hann
        self.register_buffer("window", window / window.sum(), persistent=False)
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1), persistent=False)

    def features(self, x: Tensor) -> list[Tensor]:
        """Return the picture and the last map of each VGG16 group, for x [N,3,H,W] in [0,1]."""
        convs, maps = iter(self.convs), [x]
        h = ((x - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        for i, group in enumerate(GROUPS):
            h = self._pooled(h) if i else h
            for _ in group:
                h = F.relu(next(convs)(h))
            maps.append(h)
        return maps

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return DISTS of each pair, [N], 0…1, lower is closer; x, y [N,3,H,W] in [0,1]."""
        return self.distance(self.features(x), self.features(y))

    def distance(self, maps: list[Tensor], target: list[Tensor]) -> Tensor:
        """Return DISTS [N] of pictures whose features() are given."""
        texture, structure = zip(*map(_likeness, maps, target), strict=True)
        likeness = torch.cat(texture, 1) @ self.alpha + torch.cat(structure, 1) @ self.beta
        return 1 - likeness / (self.alpha.sum() + self.beta.sum())

    def _pooled(self, x: Tensor) -> Tensor:
        """Halve x [N,C,h,w] by the L2 norm under a Hann window: no aliasing, unlike a maximum.

        The square is a product, which training computes in half precision: x.square() would not stay there.
        """
        channels = x.shape[1]
        kernel = self.window.expand(channels, 1, 3, 3)
        return (F.conv2d(x * x, kernel, stride=2, padding=1, groups=channels) + 1e-12).sqrt()


def _likeness(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return the likeness of means and of structure, [N,C] each, of two maps [N,C,h,w]."""
    mean_a, mean_b = _mean(a), _mean(b)
    a, b = (x - mean[..., None, None].to(x.dtype) for x, mean in ((a, mean_a), (b, mean_b)))
    var_a, var_b, covariance = _mean(a.square()), _mean(b.square()), _mean(a * b)
    texture = (2 * mean_a * mean_b + STABILISER) / (mean_a**2 + mean_b**2 + STABILISER)
    return texture, (2 * covariance + STABILISER) / (var_a + var_b + STABILISER)


def _mean(x: Tensor) -> Tensor:
    """Return float32 means [N,C] of a map, which training computes in less."""
    return x.mean((2, 3), dtype=torch.float32)


def load_alex(device: str) -> AlexPerceptual:
    """Return LPIPS on AlexNet with its published weights; raise UserError saying how to get them when absent."""
    state = load_file(stored.ALEX.found())
    net = AlexPerceptual()
    net.load_state_dict(state)
    return net.to(device).requires_grad_(False).eval()


def load_dists(device: str, vgg: Perceptual | None = None) -> Dists:
    """Return DISTS with its published weights, on an LPIPS' VGG16 if one is there; UserError says how to get them when absent."""
    state = load_file(stored.DISTS.found())
    net = Dists(vgg or load_perceptual(device))
    net.load_state_dict(state, strict=False)  # the convolutions come from LPIPS's file
    return net.to(device).requires_grad_(False).eval()


@torch.no_grad()
def lpips(clip_u8: np.ndarray, truth_u8: np.ndarray, net: Perceptual) -> float:
    """Return the mean over frames of LPIPS v0.1 (VGG16 or AlexNet, as net is), 0…~1, lower is closer; clips u8 [T,H,W,3]."""
    pairs = zip(clip_u8, truth_u8, strict=True)
    return float(np.mean([net(_rgb(a, net) * 2 - 1, _rgb(b, net) * 2 - 1).item() for a, b in pairs]))


@torch.no_grad()
def dists(clip_u8: np.ndarray, truth_u8: np.ndarray, net: Dists) -> float:
    """Return the mean over frames of DISTS, 0…1, lower is closer; clips u8 [T,H,W,3], at their own size."""
    pairs = zip(clip_u8, truth_u8, strict=True)
    return float(np.mean([net(_rgb(a, net), _rgb(b, net)).item() for a, b in pairs]))


def _rgb(frame_u8: np.ndarray, net: nn.Module) -> Tensor:
    """Return u8 [H,W,3] as [1,3,H,W] in [0,1] where the network is."""
    x = torch.from_numpy(np.ascontiguousarray(frame_u8)).permute(2, 0, 1)[None].float() / 255
    return x.to(next(net.parameters()).device)
