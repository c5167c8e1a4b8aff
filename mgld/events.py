"""What the engine says while it works; progress bars, previews, the page and the command line are its listeners."""

from __future__ import annotations

from dataclasses import dataclass

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
class Result:
    """The run is over; `report` holds settings, sizes, timings and memory, ready for JSON."""

    report: dict


Event = Progress | Preview | FramesDone | Result
