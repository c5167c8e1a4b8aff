"""The device's side of a job: every method's run over one clip in one call, with arguments and answers that can cross processes.

On ZeroGPU this function runs in a process of its own that forgets everything, so latents go in and come out as arrays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from mgld.events import Event, FramesDone, Sampled
from mgld.pipeline import MGLDPipeline
from mgld.settings import PREVIEW_EVERY_S, Settings
from mgld.video import Frame


@dataclass(frozen=True)
class Run:
    """One method's settings, and which of the shared sets of latents it samples into; runs of one sampling share one."""

    settings: Settings
    latents: int


@lru_cache(maxsize=2)
def open_pipeline(model: str, device: str) -> MGLDPipeline:
    """Open a model once for everybody; the two used last stay in memory."""
    return MGLDPipeline.from_pretrained(model, device)


def run_all(
    model: str, device: str, clip: Sequence[Frame], runs: Sequence[Run], latents: Sequence[dict[int, np.ndarray]]
) -> Iterator[tuple[int, Event]]:
    """Yield (index of the run, event) for one run after the other; closing it stops within one denoising step."""
    pipeline = open_pipeline(model, device)
    shared = [{first: torch.from_numpy(z).to(pipeline.device) for first, z in known.items()} for known in latents]
    for index, run in enumerate(runs):
        kept, told = shared[run.latents], set(shared[run.latents])
        for event in pipeline.run(clip, run.settings, len(clip), PREVIEW_EVERY_S, kept, watch_guidance=True):
            yield index, event
            if isinstance(event, FramesDone):
                for first in kept.keys() - told:
                    told.add(first)
                    yield index, Sampled(first, kept[first].cpu().numpy())
