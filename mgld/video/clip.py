"""What reading a clip gives: a look at it, and its frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mgld.constants import LIMITS

INTERLACED = "looks interlaced: results may show combing"
DEINTERLACED = "looks interlaced: whole frames are made of it first"
ASSUMED = f"{LIMITS.default_fps:g} frames per second assumed"
RATE_ASSUMED = f"a folder of frames states no rate: {ASSUMED}"
FILE_RATE_ASSUMED = f"the file states no frame rate: {ASSUMED}"
VARIABLE = "variable frame rate: the frames' own times are kept"
ON_BLACK = "transparency removed: shown on black"
DEEP = "{} bits per colour become 8"


@dataclass(frozen=True)
class Frame:
    """One picture, u8 [H,W,3], and its time since the first delivered frame."""

    rgb_u8: np.ndarray
    time_s: float


@dataclass(frozen=True)
class Probe:
    """What is known of a clip before it is decoded; sizes as they will be delivered, frame_count an estimate."""

    width: int
    height: int
    fps: float
    duration_s: float | None
    frame_count: int | None
    variable_rate: bool
    has_audio: bool
    notes: tuple[str, ...] = ()
    interlaced: bool = False

    @property
    def notes_if_made_whole(self) -> tuple[str, ...]:
        """Return the notes where interlaced frames are made whole without being asked."""
        return tuple(DEINTERLACED if note == INTERLACED else note for note in self.notes)

    def frames_ahead(self, start_s: float, limit: int | None) -> int | None:
        """Return how many frames are to come from start_s on, as far as the file's header says, at most limit."""
        if self.frame_count is None:
            return limit
        ahead = max(self.frame_count - round(start_s * self.fps), 1)
        return min(ahead, limit) if limit else ahead
