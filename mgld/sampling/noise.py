"""Noise that belongs to frames: one generator each, so that results do not depend on where a clip is cut."""

from __future__ import annotations

import torch
from torch import Tensor

from mgld.settings import Settings

FRAME_STRIDE = 1_000_003  # keeps the streams of (seed, frame) and (seed + 1, frame - 1) apart


class FrameNoise:
    """Draw standard normal noise for `count` frames from frame `first` on, on the CPU.

    shared_per_segment=True numbers frames within the segment, as the published code does, which re-seeds every segment.
    """

    def __init__(self, seed: int, first: int, count: int, shared_per_segment: bool = False) -> None:
        base = 0 if shared_per_segment else first
        self.generators = [torch.Generator().manual_seed(seed + FRAME_STRIDE * (base + i)) for i in range(count)]

    def draw(self, shape: torch.Size | tuple[int, ...], device: torch.device | str = "cpu") -> Tensor:
        """Return float32 [count, *shape] on a device; a GPU is sent it without waiting for what it has still to do."""
        drawn = torch.stack([torch.randn(tuple(shape), generator=g, dtype=torch.float32) for g in self.generators])
        if torch.device(device).type == "cuda":
            drawn = drawn.pin_memory()
        return drawn.to(device, non_blocking=True)


def noise_of(settings: Settings, first: int, count: int) -> FrameNoise:
    """Return the noise of a segment's frames; every method draws the same, so what differs is the method."""
    return FrameNoise(settings.seed, first, count, shared_per_segment=settings.segments == "disjoint")
