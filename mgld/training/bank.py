"""Clips with the latents that our own guided sampler makes of them: what stage 2 trains on, kept on disk."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from mgld.pipeline import MGLDPipeline
from mgld.settings import Settings
from mgld.training.decoder import Sampled

log = logging.getLogger(__name__)


def fill_bank(
    folder: Path, count: int, pipeline: MGLDPipeline, settings: Settings, pairs: Iterator[tuple[Tensor, Tensor]]
) -> None:
    """Sample latents until `folder` holds `count` clips; goes on where an earlier call stopped.

    pairs yields (hq [1,T,3,S,S], lq [1,T,3,S/4,S/4]) in [-1,1].
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count_bank(folder), count):
        hq, lq = (clip[0] for clip in next(pairs))
        canvas = F.interpolate(lq, size=hq.shape[-2:], mode="bicubic", align_corners=False).clamp(-1, 1)
        z = pipeline.latents(canvas.to(pipeline.device), Settings(**{**vars(settings), "seed": settings.seed + number}))
        clip = {"gt": _u8(hq), "lq": _u8(lq), "z": z.half().cpu()}
        partial = folder / f"{number:05d}.part"
        save_file({k: v.contiguous() for k, v in clip.items()}, partial)
        partial.replace(partial.with_suffix(".safetensors"))
        if number % 25 == 24:
            log.info("sampled %d of %d clips", number + 1, count)


def count_bank(folder: Path) -> int:
    """Return how many clips the bank holds."""
    return len(list(folder.glob("*.safetensors")))


def read_bank(folder: Path, seed: int, single_frames: bool) -> Iterator[Sampled]:
    """Yield random clips of a bank for ever; single_frames=True picks one frame of each."""
    files = sorted(folder.glob("*.safetensors"))
    clips = [load_file(f) for f in files]
    generator = torch.Generator().manual_seed(seed)
    while True:
        for i in torch.randperm(len(clips), generator=generator).tolist():
            gt, lq, z = clips[i]["gt"], clips[i]["lq"], clips[i]["z"]
            if single_frames:
                t = int(torch.randint(len(gt), (1,), generator=generator))
                gt, lq, z = gt[t : t + 1], lq[t : t + 1], z[t : t + 1]
            x = lq.float() / 127.5 - 1
            canvas = F.interpolate(x, size=gt.shape[-2:], mode="bicubic", align_corners=False).clamp(-1, 1)
            yield Sampled(gt.float() / 127.5 - 1, canvas, z.float())


def _u8(x: Tensor) -> Tensor:
    return x.add(1).mul(127.5).round().clamp(0, 255).byte()
