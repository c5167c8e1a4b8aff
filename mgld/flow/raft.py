"""RAFT: flow refined step by step from all-pairs correlation (Teed & Deng 2020), under the public key names."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mgld.flow import ops
from mgld.flow.motion import where_weights_are
from mgld.flow.raft_layers import Encoder, SmallUpdate, Update

LEVELS = 4
STRIDE = 8
SMALLEST_SIDE = 128  # the coarsest correlation map is 1/64 of it: two pixels, one would leave nothing to sample between
VOLUME_BYTES = 2**30  # correlation maps held at once: they grow with the fourth power of the side


class Raft(nn.Module):
    """Estimate flow_px [N,2,H,W] from a to b, both [N,3,H,W] in [0,1].

    input_range "trained" feeds [-1,1] as in RAFT's training; "published" feeds [0,1] as MGLD-VSR does.
    Frames with a side below 128 px are enlarged first; all are extended by replication to multiples of 8.
    """

    def __init__(self, small: bool = False, iterations: int = 10, input_range: str = "trained") -> None:
        super().__init__()
        assert input_range in ("trained", "published")
        self.small, self.iterations, self.input_range = small, iterations, input_range
        self.radius, self.hidden, context, features = (3, 96, 64, 128) if small else (4, 128, 128, 256)
        self.fnet = Encoder(features, "instance", small)
        self.cnet = Encoder(self.hidden + context, "none" if small else "batch", small)
        window = LEVELS * (2 * self.radius + 1) ** 2
        self.update_block = (SmallUpdate if small else Update)(window, self.hidden, context)

    @where_weights_are
    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        size_hw = ops.at_least(a.shape[-2:], SMALLEST_SIDE)
        # extending a small frame instead lets the copied border outweigh the picture: up to 14 px off at 32×40
        enlarged = size_hw != tuple(a.shape[-2:])
        if enlarged:
            a, b, given_hw = _resized(a, size_hw), _resized(b, size_hw), a.shape[-2:]
        count = pairs_at_once(size_hw)
        pairs = zip(a.split(count), b.split(count), strict=True)
        flow_px = torch.cat([self._estimate(first, second) for first, second in pairs])
        return ops.resize_flow(flow_px, given_hw) if enlarged else flow_px

    def _estimate(self, a: Tensor, b: Tensor) -> Tensor:
        left, right, top, bottom = sides = _padding(*a.shape[-2:])
        x_a, x_b = (F.pad(self._scaled(rgb), sides, mode="replicate") for rgb in (a, b))
        pyramid = correlation_pyramid(*self.fnet(torch.cat((x_a, x_b))).chunk(2))
        state, context = self.cnet(x_a).split_with_sizes([self.hidden, self.cnet.channels - self.hidden], 1)
        flow_px = self._refine(pyramid, state.tanh(), context.relu())
        return flow_px[..., top : flow_px.shape[-2] - bottom, left : flow_px.shape[-1] - right]

    def _scaled(self, rgb: Tensor) -> Tensor:
        return 2 * rgb - 1 if self.input_range == "trained" else rgb

    def _refine(self, pyramid: list[Tensor], state: Tensor, context: Tensor) -> Tensor:
        """Return the last flow at full size; state [N,hidden,h,w] is that of the recurrent unit."""
        start = ops.pixel_grid(*state.shape[-2:], state.device).expand(len(state), -1, -1, -1)
        points = start
        for _ in range(self.iterations):
            window = lookup(pyramid, points, self.radius)
            state, step = self.update_block(state, context, window, points - start)
            points = points + step
        if self.small:
            return STRIDE * F.interpolate(points - start, scale_factor=STRIDE, mode="bilinear", align_corners=True)
        return enlarge(points - start, self.update_block.weights(state))


def _padding(height: int, width: int) -> tuple[int, int, int, int]:
    """Return what F.pad takes, the odd pixel going right and below ("sintel" split)."""
    more = [-side % STRIDE for side in (width, height)]
    return more[0] // 2, more[0] - more[0] // 2, more[1] // 2, more[1] - more[1] // 2


def _resized(rgb: Tensor, size_hw: tuple[int, int]) -> Tensor:
    return F.interpolate(rgb, size_hw, mode="bicubic", align_corners=False).clamp(0, 1)


def pairs_at_once(size_hw: tuple[int, int]) -> int:
    """Return how many pairs of frames keep their correlation maps within VOLUME_BYTES; never less than one."""
    places = -(-size_hw[0] // STRIDE) * -(-size_hw[1] // STRIDE)
    return max(1, VOLUME_BYTES // (4 * places**2 * 4 // 3))  # float32; the coarser levels add a third


def correlation_pyramid(a: Tensor, b: Tensor, levels: int = LEVELS) -> list[Tensor]:
    """Return <a(p), b(q)> / √C of features [N,C,h,w] as maps over q [N·h·w,1,h,w], then halved level by level."""
    n, channels, height, width = a.shape
    products = a.flatten(2).transpose(1, 2) @ b.flatten(2) / channels**0.5
    pyramid = [products.reshape(n * height * width, 1, height, width)]
    for _ in range(levels - 1):
        pyramid.append(F.avg_pool2d(pyramid[-1], 2))
    return pyramid


def lookup(pyramid: list[Tensor], points_px: Tensor, radius: int) -> Tensor:
    """Read each level around points_px [N,2,h,w] (x, y) -> [N, levels·(2·radius+1)², h, w]."""
    n, _, height, width = points_px.shape
    steps = torch.arange(-radius, radius + 1, dtype=points_px.dtype, device=points_px.device)
    # the published window is transposed (its outer loop moves x, not y) and the weights were trained that way
    window = torch.stack(torch.meshgrid(steps, steps, indexing="ij"))[None]
    centres = points_px.permute(0, 2, 3, 1).reshape(-1, 2, 1, 1)
    read = [ops.sample(level, centres / 2**i + window) for i, level in enumerate(pyramid)]
    return torch.cat([level.reshape(n, height, width, -1) for level in read], -1).permute(0, 3, 1, 2)


def enlarge(flow_px: Tensor, logits: Tensor) -> Tensor:
    """Enlarge flow_px [N,2,h,w] eightfold, each pixel a convex combination of 3×3 neighbours; logits [N,576,h,w]."""
    n, _, height, width = flow_px.shape
    weights = logits.view(n, 1, 9, STRIDE, STRIDE, height, width).softmax(2)
    neighbours = F.unfold(STRIDE * flow_px, 3, padding=1).view(n, 2, 9, 1, 1, height, width)
    fine = (weights * neighbours).sum(2)  # [N,2,8,8,h,w]
    return fine.permute(0, 1, 4, 2, 5, 3).reshape(n, 2, STRIDE * height, STRIDE * width)
