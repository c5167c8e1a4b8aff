"""What the engine says while it works; progress bars, previews, the page and the command line are its listeners."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np


@dataclass(frozen=True)
class Progress:
    """`done` of `total` units of work (total is None while a clip's length is unknown)."""

    stage: str
    done: float
    total: float | None
    seconds_left: float | None


@dataclass(frozen=True)
class Preview:
    """The current x̂0 estimate of one frame, u8 [H,W,3]."""

    frame: int
    rgb_u8: np.ndarray


@dataclass(frozen=True)
class FramesDone:
    """Finished frames in order, u8 [n,H,W,3], the first one's index, and their times."""

    first_frame: int
    frames_u8: np.ndarray
    times_s: tuple[float, ...]
    segment_border: bool


@dataclass(frozen=True)
class Sampled:
    """A segment's latent f32 [T,c,h,w] after its last step, by its first frame: what a change of decoder starts from."""

    first_frame: int
    z: np.ndarray


@dataclass(frozen=True)
class Resumed:
    """A run goes on after `frames` finished ones: so many of its segments (of is None while unknown) were there already.

    Here, and in Preview, Sampled and Guided, frames are numbered without those that repeat the one before, where these are held.
    """

    segments: int
    of: int | None
    frames: int


@dataclass(frozen=True)
class Note:
    """Something that a person should know of the run, as the end of a sentence; the report holds it too."""

    text: str


@dataclass(frozen=True)
class Result:
    """The run is over; `report` holds settings, sizes, timings and memory, ready for JSON."""

    report: dict


@dataclass(frozen=True)
class Guided:
    """What guidance did to the segment that begins at first_frame; arrays on the latent's grid of h × w."""

    first_frame: int
    flow_px: np.ndarray  # f32 [T-1,2,h,w], frame i → i+1
    hidden: np.ndarray  # bool [T-1,h,w]: frame i's pixel is not seen in frame i+1
    before: tuple[float, ...]  # per step: mean |warped neighbour − x̂0| over visible elements
    after: tuple[float, ...]  # the same once guidance has moved it
    moved: np.ndarray | None  # f32 [T,h,w]: how far it moved each place of x̂0, summed over steps; None without a step


Event = Progress | Preview | FramesDone | Guided | Sampled | Resumed | Note | Result
Outcome = TypeVar("Outcome")


def end_of(work: Generator[Event, None, Outcome], hear: Callable[[Event], None] = lambda event: None) -> Outcome:
    """Do some work to its end, let hear know what it tells of itself, and return what it comes to."""
    while True:
        try:
            hear(next(work))
        except StopIteration as end:
            return end.value


def counted(number: int, noun: str) -> str:
    """Return "1 frame", "2 frames"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
