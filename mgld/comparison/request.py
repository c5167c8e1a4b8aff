"""What a visitor asked for, checked; and the pictures that it names."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from mgld import errors, settings
from mgld.comparison.store import Part, sha256_of
from mgld.errors import UserError
from mgld.methods import OURS
from mgld.settings import SCALE, Settings
from mgld.ui import words

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels


@dataclass(frozen=True)
class Request:
    """One comparison, checked; crop is left, top, right, bottom as shares of the frame."""

    clip: Path
    start_s: float
    frames: int
    methods: tuple[str, ...]
    knobs: Settings
    model: str = "tiny"
    crop: tuple[float, float, float, float] | None = None
    truth: Path | None = None
    others: tuple[Path, ...] = ()
    degrade_seed: int | None = None


@dataclass(frozen=True)
class Plan:
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
    part: Part


def checked(
    clip: str | None,
    methods: Sequence[str] | None,
    start_s: float,
    frames: int,
    knobs: Settings,
    model: str = "tiny",
    crop: str = "",
    truth: str | None = None,
    others: Sequence[str] | None = None,
    degrade_seed: int | None = None,
) -> Request:
    """Return the request if it can be worked on; raise UserError saying what is wrong."""
    if clip is None:
        raise UserError(words.NO_CLIP)
    chosen = tuple(m for m in OURS if m in (methods or ()))
    if not chosen:
        raise UserError(words.NO_METHOD)
    if not 1 <= frames <= settings.PAGE_FRAMES or frames != int(frames):
        raise errors.bad_setting(words.FRAMES, frames, f"a whole number from 1 to {settings.PAGE_FRAMES}")
    if not 0 <= start_s < math.inf:
        raise errors.bad_setting(words.START, start_s, words.START_ALLOWED)
    if degrade_seed is not None and truth is not None:
        raise UserError(words.TRUTH_TWICE)
    others = tuple(Path(p) for p in others or ())
    layers = 1 + len(chosen) + len(others) + (truth is not None or degrade_seed is not None)
    if layers > settings.LAYERS_AT_MOST:
        raise UserError(words.TOO_MANY.format(layers=layers, most=settings.LAYERS_AT_MOST))
    truth = Path(truth) if truth else None
    return Request(
        Path(clip),
        float(start_s),
        int(frames),
        chosen,
        knobs.checked(),
        model,
        crop_of(crop),
        truth,
        others,
        degrade_seed,
    )


def crop_of(text: str | None) -> tuple[float, float, float, float] | None:
    """Read "left, top, right, bottom" in per cent; None for the whole frame; raise UserError if it is neither."""
    if not (text or "").strip():
        return None
    numbers = re.fullmatch(r"\s*" + r"[\s,]+".join([r"(\d+(?:\.\d+)?)"] * 4) + r"\s*", text)
    left, top, right, bottom = (float(n) / 100 for n in numbers.groups()) if numbers else (1, 1, 0, 0)
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise errors.bad_setting(words.CROP, text, words.CROP_ALLOWED)
    return None if (left, top, right, bottom) == (0, 0, 1, 1) else (left, top, right, bottom)


def plan(request: Request) -> Plan:
    """Look at the clip's header only; raise UserError if it cannot be used."""
    from mgld.commands.upscale import frames_ahead

    known = looked_at(request.clip)
    frames = frames_ahead(known, request.start_s, request.frames) or request.frames
    left, top, right, bottom = worked_box(request, known.height, known.width)
    shrunk = SCALE if request.degrade_seed is not None else 1
    return Plan((bottom - top) // shrunk, (right - left) // shrunk, frames, known.fps)


def read(request: Request) -> Material:
    """Read every clip that the request names; raise UserError if one does not fit the others."""
    from mgld.video import Frame, read_frames

    clip = list(read_frames(request.clip, request.start_s, request.frames))
    height, width = clip[0].rgb_u8.shape[:2]
    box = worked_box(request, height, width)
    clip = [Frame(np.ascontiguousarray(_cut(f.rgb_u8, box)), f.time_s) for f in clip]
    given = {}
    if request.degrade_seed is not None:
        given[words.TRUTH_KEY] = np.stack([f.rgb_u8 for f in clip])
        clip = degraded(clip, request.degrade_seed)
        box = tuple(side // SCALE for side in box)
        height, width = ((side - side % (2 * SCALE)) // SCALE for side in (height, width))
    large = {words.TRUTH_KEY: request.truth} if request.truth else {}
    for name, path in (large | named(request.others)).items():
        given[name] = _large(path, words.LAYERS[name], request, len(clip), box, (height, width))
    return Material(clip, looked_at(request.clip).fps, given, part_of(request, len(clip)))


def part_of(request: Request, frames: int) -> Part:
    """Name the pixels that are worked on."""
    return Part(fingerprint(request.clip), request.start_s, frames, request.crop, request.degrade_seed, request.model)


def degraded(clip: list, seed: int) -> list:
    """Return the clip as the training degradation makes it, a quarter of the size, from the seed alone."""
    from mgld.degrade import degrade
    from mgld.video import Frame

    low = degrade([f.rgb_u8 for f in clip], np.random.default_rng(seed))
    return [Frame(rgb, f.time_s) for rgb, f in zip(low, clip, strict=True)]


def worked_box(request: Request, height: int, width: int) -> Box:
    """Return the part of the frame that is worked on; a clip to be degraded is cut so that a quarter of it is even."""
    left, top, right, bottom = request.crop or (0.0, 0.0, 1.0, 1.0)
    smallest = settings.LIMITS.smallest_side_px * (SCALE if request.degrade_seed is not None else 1)
    step = 2 * SCALE if request.degrade_seed is not None else 1
    x0, x1 = _span(left, right, width, smallest, step)
    y0, y1 = _span(top, bottom, height, smallest, step)
    if min(x1 - x0, y1 - y0) < smallest:
        raise UserError(words.CROP_SMALL.format(width=x1 - x0, height=y1 - y0, smallest=smallest))
    return x0, y0, x1, y1


def named(others: Sequence[Path]) -> dict[str, Path]:
    """Return the clips by the names that their files carry, made harmless and different from every other layer's."""
    found: dict[str, Path] = {}
    for path in others:
        name = re.sub(r"[^A-Za-z0-9 .+-]+", " ", path.stem).strip()[:24] or words.OTHER
        taken = {*found, *words.LAYERS, *words.LAYERS.values()}
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
    return sha256_of(path)


def _span(low: float, high: float, side: int, smallest: int, step: int) -> tuple[int, int]:
    """Return the pixels of a share of one side, at least smallest where the frame has them, a whole number of steps."""
    first = min(round(low * side), max(side - smallest, 0))
    count = min(max(round(high * side) - first, smallest), side - first)
    return first, first + count - count % step


def _cut(frame: np.ndarray, box: Box) -> np.ndarray:
    left, top, right, bottom = box
    return frame[top:bottom, left:right]


def _large(path: Path, label: str, request: Request, frames: int, box: Box, whole_hw: tuple[int, int]) -> np.ndarray:
    """Return u8 [T,4h,4w,3] that belongs to the low-quality part; raise UserError if its size or count differs."""
    from mgld.video import read_frames

    clip_u8 = np.stack([f.rgb_u8 for f in read_frames(path, request.start_s, frames)])
    wanted = tuple(SCALE * side for side in whole_hw)
    if len(clip_u8) != frames or clip_u8.shape[1:3] != wanted:
        size = len(clip_u8), clip_u8.shape[2], clip_u8.shape[1]
        raise errors.large_clip_differs(label, *size, frames, wanted[1], wanted[0])
    left, top, right, bottom = (SCALE * side for side in box)
    return np.ascontiguousarray(clip_u8[:, top:bottom, left:right])
