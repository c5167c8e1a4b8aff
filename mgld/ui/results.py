"""Results of earlier runs, kept in memory: a knob that does not touch a method does not compute it again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np

from mgld.settings import KEPT_RESULTS, Settings

DEFAULTS = {f.name: f.default for f in fields(Settings)}
SAMPLING = {"method", "steps", "sampler", "seed"}
CUTTING = {"segment", "overlap", "segments"}
GUIDING = {"guidance", "guidance_mode", "flow"}
DECODING = {"colour", "cfw"}


@dataclass(frozen=True)
class Part:
    """Which frames of which file: its content's hash, where to begin and how many."""

    sha256: str
    start_s: float
    frames: int


@dataclass
class Kept:
    """What one method made of one part: finished frames u8 [T,4h,4w,3], its report, and where segments begin."""

    frames_u8: np.ndarray
    report: dict
    borders: tuple[int, ...] = ()


@dataclass
class Store:
    """The most recent results and latents; the oldest go first."""

    limit: int = KEPT_RESULTS
    results: OrderedDict[tuple[Part, Settings], Kept] = field(default_factory=OrderedDict)
    latents: OrderedDict[tuple[Part, Settings], dict[int, object]] = field(default_factory=OrderedDict)

    def result(self, part: Part, wanted: Settings) -> Kept | None:
        """Return what an equal run made, or None."""
        return self.results.get((part, relevant(wanted)))

    def keep(self, part: Part, wanted: Settings, kept: Kept) -> None:
        """Remember a finished run."""
        _put(self.results, (part, relevant(wanted)), kept, self.limit)

    def latents_of(self, part: Part, wanted: Settings) -> dict[int, object]:
        """Return the (possibly empty) latents that runs with the same sampling share."""
        plain = {name: DEFAULTS[name] for name in (*DECODING, "decoder")}
        key = part, replace(relevant(wanted), **plain)
        return _put(self.latents, key, self.latents.get(key, {}), self.limit)


def relevant(wanted: Settings) -> Settings:
    """Return settings in which every knob that this method does not read stands at its default."""
    from mgld.pipeline import RECIPES

    if wanted.method not in RECIPES:
        return Settings(method=wanted.method)
    recipe = RECIPES[wanted.method]
    read = SAMPLING | DECODING
    if recipe.motion_guided or recipe.temporal_decoder:
        read = read | CUTTING
    if recipe.motion_guided:
        read = read | GUIDING
    if recipe.temporal_decoder:
        read = read | {"decoder"}
    return Settings(**{name: getattr(wanted, name) for name in read})


def sha256_of(path: Path) -> str:
    """Hash a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _put(store: OrderedDict, key: tuple, value, limit: int):
    store[key] = value
    store.move_to_end(key)
    while len(store) > limit:
        store.popitem(last=False)
    return value
