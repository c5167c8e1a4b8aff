"""Results of earlier runs, kept in memory: a knob that does not touch a method does not compute it again."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mgld.constants import DEFAULT_MODEL, KEPT_SAMPLINGS
from mgld.events import Event, Guided, Sampled
from mgld.host import KEPT_BYTES
from mgld.methods import is_guided
from mgld.presets import sha256_of
from mgld.settings import Settings
from mgld.sharing import relevant, sampled_as


@dataclass(frozen=True)
class ClipPart:
    """Which frames of which file, and what was done to them: enough to know that two requests mean the same pixels."""

    sha256: str
    start_s: float
    frames: int
    crop: tuple[float, float, float, float] | None = None
    degrade_seed: int | None = None
    model: str = DEFAULT_MODEL


@dataclass
class FinishedRun:
    """What one method made of one part: finished frames u8 [T,4h,4w,3], its report, and where segments begin."""

    frames_u8: np.ndarray
    report: dict
    borders: tuple[int, ...] = ()


@dataclass
class Sampling:
    """Finished segments of one sampling by their first frame: latents f32 [T,c,h,w], and what guidance did to them."""

    latents: dict[int, np.ndarray] = field(default_factory=dict)
    guided: dict[int, Guided] = field(default_factory=dict)


@dataclass
class Store:
    """The most recent results (by bytes) and samplings (by count); the oldest go first."""

    limit_bytes: int = KEPT_BYTES
    limit: int = KEPT_SAMPLINGS
    results: OrderedDict[tuple[ClipPart, Settings], FinishedRun] = field(default_factory=OrderedDict)
    samplings: OrderedDict[tuple[ClipPart, Settings], Sampling] = field(default_factory=OrderedDict)

    def result(self, part: ClipPart, wanted: Settings) -> FinishedRun | None:
        """Return what an equal run made, or None."""
        return self.results.get((part, relevant(wanted)))

    def keep(self, part: ClipPart, wanted: Settings, run: FinishedRun) -> None:
        """Remember a finished run."""
        key = part, relevant(wanted)
        self.results[key] = run
        self.results.move_to_end(key)
        while len(self.results) > 1 and sum(k.frames_u8.nbytes for k in self.results.values()) > self.limit_bytes:
            self.results.popitem(last=False)

    def guided(self, part: ClipPart, wanted: Settings) -> list[Guided]:
        """Return what guidance did in a run's sampling, segment by segment; nothing where nothing guides."""
        known = self.samplings.get((part, sampled_as(wanted)))  # makes no room for it
        if known is None or not is_guided(wanted):
            return []
        return [event for _, event in sorted(known.guided.items())]

    def remember(self, part: ClipPart, wanted: Settings, event: Event) -> None:
        """Take what a segment's sampling came to, for runs that share it."""
        if isinstance(event, Sampled):
            self.sampling(part, wanted).latents[event.first_frame] = event.z
        elif isinstance(event, Guided):
            self.sampling(part, wanted).guided[event.first_frame] = event

    def sampling(self, part: ClipPart, wanted: Settings) -> Sampling:
        """Return the (possibly empty) sampling that runs which differ only on the decoder's side share."""
        key = part, sampled_as(wanted)
        self.samplings[key] = self.samplings.get(key, Sampling())
        self.samplings.move_to_end(key)
        while len(self.samplings) > self.limit:
            self.samplings.popitem(last=False)
        return self.samplings[key]

    def is_sampled(self, part: ClipPart, wanted: Settings, segments: int) -> bool:
        """Say whether every segment's latent is there; looks without making room for it."""
        known = self.samplings.get((part, sampled_as(wanted)))
        return known is not None and len(known.latents) >= segments


def content_of(clip: Path) -> str:
    """Hash what a clip is read from: a file, or the files of a folder by their names; folders inside it are not looked at."""
    if not clip.is_dir():
        return sha256_of(clip)
    files = {part.name: sha256_of(part) for part in clip.iterdir() if part.is_file()}
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
