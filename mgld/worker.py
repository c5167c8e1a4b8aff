"""The device's side of a comparison: every run over one clip in one call, with arguments and answers that can cross processes.

On ZeroGPU this side runs in a forked process that forgets everything, so latents go in and come out as arrays. Of exceptions it
passes on none but Gradio's, so a refusal is an answer, which `raising` turns into an exception again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from mgld.errors import UserError
from mgld.events import Event, Sampled
from mgld.kept import KeptRun, forget, run_key
from mgld.pipeline import MGLDPipeline
from mgld.presets import describe_model
from mgld.segment import NOTHING_WATCHED, Watch
from mgld.settings import Settings
from mgld.sharing import sampled_as
from mgld.stages.seen import SeenFrames
from mgld.video import Frame


@dataclass(frozen=True)
class DeviceJob:
    """What the device is to do: runs over one clip, and latents f32 [T,c,h,w] that are known already.

    latents are told by `sampled_as` of a run and by their segment's first frame.
    """

    model: str
    device: str
    clip: Sequence[Frame]
    runs: Sequence[Settings]
    latents: Mapping[Settings, Mapping[int, np.ndarray]] = field(default_factory=dict)
    watch: Watch = NOTHING_WATCHED
    dtype: str = "auto"
    source: Mapping[str, object] | None = None  # what names the clip, where finished segments are kept on disk


def open_pipeline(model: str, device: str, dtype: str = "auto") -> MGLDPipeline:
    """Open a model once for everybody; the two used last stay in memory."""
    return _opened(model, device, dtype)  # by place: a default that is left out would be another key


@lru_cache(maxsize=2)
def _opened(model: str, device: str, dtype: str) -> MGLDPipeline:
    return MGLDPipeline.from_pretrained(model, device, dtype)


def run_all(job: DeviceJob) -> Iterator[tuple[int, Event]]:
    """Yield (index of the run, event) for one run after the other; closing it stops within one denoising step.

    What one run samples, the later ones that sample the same take from it; frames are encoded once for all.
    """
    pipeline = open_pipeline(job.model, job.device, job.dtype)
    known, seen = {key: dict(found) for key, found in job.latents.items()}, SeenFrames()
    keys = _keys(job, pipeline)
    for index, wanted in enumerate(job.runs):
        sampled, latents = {}, known.get(sampled_as(wanted))
        with closing(KeptRun(keys[index])) as kept:
            for event in pipeline.run(job.clip, wanted, len(job.clip), job.watch, latents, kept, seen):
                if isinstance(event, Sampled):
                    sampled[event.first_frame] = event.z
                yield index, event
        known.setdefault(sampled_as(wanted), {}).update(sampled)
    for key in filter(None, keys):  # whoever asked has every result now
        forget(key)


def _keys(job: DeviceJob, pipeline: MGLDPipeline) -> list[str | None]:
    """Name each run by all that has a say in its bytes; None where nothing is kept of it."""
    if job.source is None:
        return [None] * len(job.runs)
    weights, place = describe_model(job.model), (str(pipeline.device), str(pipeline.dtype))
    source = dict(job.source) | {"guidance_watched": job.watch.guidance}  # which is kept too
    return [run_key(wanted, weights, *place, source) for wanted in job.runs]


def answers(job: DeviceJob) -> Generator[tuple[int, Event] | UserError, None, None]:
    """Yield what run_all yields, and a refusal as the last answer instead of raising it."""
    try:
        yield from run_all(job)
    except UserError as refused:
        yield refused


def raising(
    answering: Callable[[DeviceJob], Generator[tuple[int, Event] | UserError, None, None]],
) -> Callable[[DeviceJob], Iterator[tuple[int, Event]]]:
    """Return run_all made of `answers`, or of what a host wrapped around it."""

    def run(job: DeviceJob) -> Iterator[tuple[int, Event]]:
        with closing(answering(job)) as found:
            for answer in found:
                if isinstance(answer, UserError):
                    raise answer
                yield answer

    return run
