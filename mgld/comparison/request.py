"""What is asked for, checked; and the pictures that it names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from mgld import constants
from mgld.comparison import refusals
from mgld.comparison.asked import FIELDS, Asked, Crop, crop_of
from mgld.comparison.layers import LABELS, TRUTH, label_of
from mgld.comparison.store import ClipPart, content_of
from mgld.constants import DEFAULT_MODEL, SCALE
from mgld.methods import METHODS, OURS
from mgld.presets import offered
from mgld.settings import Settings, number_within

UNNAMED = "Other"  # a clip whose file name holds nothing that can be shown
Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels


@dataclass(frozen=True)
class Request:
    """One comparison, checked; crop is left, top, right, bottom as shares of the frame."""

    clip: Path
    start_s: float
    frames: int
    methods: tuple[str, ...]
    knobs: Settings
    model: str = DEFAULT_MODEL
    crop: Crop | None = None
    truth: Path | None = None
    others: tuple[Path, ...] = ()
    degrade_seed: int | None = None

    @property
    def layers(self) -> int:
        """Count the layers that it makes, the input among them."""
        return 1 + len(self.methods) + len(self.others) + (self.truth is not None or self.degrade_seed is not None)

    @property
    def runs(self) -> dict[str, Settings]:
        """Return each method's settings, by method."""
        return {method: replace(self.knobs, method=method) for method in self.methods}


@dataclass(frozen=True)
class Extent:
    """What a request comes to before it is read: sizes in pixels of what is worked on, and how many frames."""

    height: int
    width: int
    frames: int
    fps: float


@dataclass(frozen=True)
class Material:
    """What is worked on: the low-quality frames, the large clips that join the comparison, and what names them."""

    clip: list
    fps: float
    given: dict[str, np.ndarray]
    part: ClipPart
    notes: tuple[str, ...] = ()  # what a person should know of how the clip was read


def checked(asked: Asked, models: Mapping[str, str] | None = None) -> Request:
    """Return a visitor's request if it can be worked on; raise UserError saying what is wrong.

    models says what may be chosen, by what it is called; no other name is ever looked for on this machine.
    """
    models = offered() if models is None else models
    if asked.model not in tuple(models):  # an API client may send what is no name
        raise refusals.model_not_offered(asked.model, models)
    if asked.clip is None:
        raise refusals.clip_unchosen()
    methods = tuple(m for m in OURS if m in (asked.methods or ()))
    if not methods:
        raise refusals.method_unchosen()
    frames = _number("frames", asked.frames, integer=True)
    start_s = _number("start_s", asked.start_s, integer=False)
    degrade_seed = _number("degrade_seed", asked.degrade_seed, integer=True) if asked.degrade else None
    if asked.degrade and asked.truth:
        raise refusals.truth_twice()
    others = tuple(Path(p) for p in asked.others or ())
    if any(path.suffix.lower() in constants.PEER_SUFFIXES for path in others):
        raise refusals.peer_uploaded()  # networks of strangers are not run; whoever has the machine names theirs to `compare`
    truth = Path(asked.truth) if asked.truth else None
    request = Request(
        Path(asked.clip), start_s, frames, methods, asked.knobs.checked(), models[asked.model], crop_of(asked.crop), truth, others,
        degrade_seed,
    )  # fmt: skip
    if request.layers > constants.LAYERS_AT_MOST:
        raise refusals.layers_too_many(request.layers, constants.LAYERS_AT_MOST)
    for path in filter(None, (request.clip, truth, *others)):
        if not path.exists():
            raise refusals.clip_gone(path)
    return request


def _number(name: str, value: object, integer: bool) -> float:
    """Return the number of a field that is within its bounds."""
    field = FIELDS[name].metadata
    return number_within(field["label"], value, *field["bounds"], integer)


def extent_of(request: Request) -> Extent:
    """Look at the clip's header only; raise UserError if it cannot be used."""
    known = looked_at(request.clip)
    frames = known.frames_ahead(request.start_s, request.frames) or request.frames
    left, top, right, bottom = worked_box(request, known.height, known.width)
    shrunk = SCALE if request.degrade_seed is not None else 1
    return Extent((bottom - top) // shrunk, (right - left) // shrunk, frames, known.fps)


def read(request: Request) -> Material:
    """Read every clip that the request names; raise UserError if one does not fit the others."""
    from mgld.degrade.sides import degradable
    from mgld.video import Frame, read_frames

    known = looked_at(request.clip)  # which says whether frames have to be made whole
    notes = list(known.notes_if_made_whole)
    frames = read_frames(request.clip, request.start_s, request.frames, deinterlace=known.interlaced, notes=notes)
    clip = list(frames)
    height, width = clip[0].rgb_u8.shape[:2]
    box = worked_box(request, height, width)
    clip = [Frame(np.ascontiguousarray(_cut(f.rgb_u8, box)), f.time_s) for f in clip]
    given = {}
    if request.degrade_seed is not None:
        given[TRUTH] = np.stack([f.rgb_u8 for f in clip])
        clip = degraded(clip, request.degrade_seed)
        box = tuple(side // SCALE for side in box)
        height, width = (side // SCALE for side in degradable(height, width))
    large = {TRUTH: request.truth} if request.truth else {}
    for name, path in (large | named(request.others)).items():
        if path.suffix.lower() in constants.PEER_SUFFIXES:
            given[name] = _by_peer(path, clip)
        else:
            given[name] = _large(path, name, request, len(clip), box, (height, width), notes)
    return Material(clip, known.fps, given, part_of(request, len(clip)), tuple(notes))


def part_of(request: Request, frames: int) -> ClipPart:
    """Name the pixels that are worked on."""
    return ClipPart(
        fingerprint(request.clip), request.start_s, frames, request.crop, request.degrade_seed, request.model
    )


def degraded(clip: list, seed: int) -> list:
    """Return the clip as the training degradation makes it, a quarter of the size, from the seed alone."""
    from mgld.degrade import degrade
    from mgld.video import Frame

    low = degrade([f.rgb_u8 for f in clip], np.random.default_rng(seed))
    return [Frame(rgb, f.time_s) for rgb, f in zip(low, clip, strict=True)]


def worked_box(request: Request, height: int, width: int) -> Box:
    """Return the part of the frame that is worked on; one to be degraded begins and ends where a quarter of it is even."""
    from mgld.degrade.sides import SMALLEST_PX, STEP_PX

    left, top, right, bottom = request.crop or (0.0, 0.0, 1.0, 1.0)
    small = constants.LIMITS.smallest_side_px, 1
    smallest, step = small if request.degrade_seed is None else (SMALLEST_PX, STEP_PX)
    x0, x1 = _span(left, right, width, smallest, step)
    y0, y1 = _span(top, bottom, height, smallest, step)
    if min(x1 - x0, y1 - y0) < smallest:
        raise refusals.crop_small(x1 - x0, y1 - y0, smallest)
    return x0, y0, x1, y1


def named(others: Sequence[Path]) -> dict[str, Path]:
    """Return the clips by the names that their files carry, made harmless and different from every other layer's."""
    found: dict[str, Path] = {}
    for path in others:
        name = re.sub(r"[^A-Za-z0-9 .+-]+", " ", path.stem).strip()[:24] or UNNAMED
        taken = {*found, *METHODS, TRUTH, *LABELS}
        while name in taken:
            name += "+"
        found[name] = path
    return found


def looked_at(path: Path):
    """Probe a clip, once per file: uploads never change under their name."""
    return _looked_at(path, path.stat().st_mtime_ns) if path.exists() else _looked_at(path, 0)


def fingerprint(path: Path) -> str:
    """Return the hash of a clip's content, computed once per file."""
    return _fingerprint(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _looked_at(path: Path, changed: int):
    from mgld.video import probe

    return probe(path)


@lru_cache(maxsize=64)
def _fingerprint(path: Path, changed: int) -> str:
    return content_of(path)


def _span(low: float, high: float, side: int, smallest: int, step: int) -> tuple[int, int]:
    """Return the pixels of a share of one side, at least smallest where the frame has them, from step to step."""
    first = min(round(low * side), max(side - smallest, 0)) // step * step
    count = min(max(round(high * side) - first, smallest), side - first)
    return first, first + count - count % step


def _cut(frame: np.ndarray, box: Box) -> np.ndarray:
    left, top, right, bottom = box
    return frame[top:bottom, left:right]


def _by_peer(checkpoint: Path, clip: list) -> np.ndarray:
    """Return what a network of the ESRGAN family makes of the low-quality part, u8 [T,4h,4w,3]."""
    from mgld.device import best_device
    from mgld.peers import enlarge, load_peer

    return enlarge(load_peer(checkpoint, best_device()), np.stack([f.rgb_u8 for f in clip]))


def _large(
    path: Path, layer: str, request: Request, frames: int, box: Box, whole_hw: tuple[int, int], notes: list[str]
) -> np.ndarray:
    """Return u8 [T,4h,4w,3] that belongs to the low-quality part; raise UserError if its size or count differs.

    A truth may be larger by what degrade cuts, which notes then tell.
    """
    from mgld.degrade.sides import as_degraded
    from mgld.video import read_frames

    clip_u8 = np.stack([f.rgb_u8 for f in read_frames(path, request.start_s, frames)])
    wanted = tuple(SCALE * side for side in whole_hw)
    if layer == TRUTH:
        clip_u8 = as_degraded(clip_u8, wanted, notes)
    if len(clip_u8) != frames or clip_u8.shape[1:3] != wanted:
        size = len(clip_u8), clip_u8.shape[2], clip_u8.shape[1]
        raise refusals.large_clip_differs(label_of(layer), *size, frames, wanted[1], wanted[0])
    left, top, right, bottom = (SCALE * side for side in box)
    return np.ascontiguousarray(clip_u8[:, top:bottom, left:right])
