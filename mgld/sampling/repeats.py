"""Frames that are equal to the one before them (drawings on twos, stills) are made once and shown as often as they came."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import accumulate

import numpy as np

from mgld.clock import Clock
from mgld.events import Event, FramesDone
from mgld.video import Frame


class Repeats:
    """The runs of equal frames of one clip. What is between `once` and `again` numbers the frames without their repeats."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._times_s: deque[list[float]] = deque()  # of the runs that were read and not yet handed over

    def once(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Yield the first frame of each run of equal ones."""
        before: np.ndarray | None = None
        for frame in frames:
            if before is not None and np.array_equal(before, frame.rgb_u8):
                self._times_s[-1].append(frame.time_s)
                continue
            self._times_s.append([frame.time_s])
            before = frame.rgb_u8
            yield frame

    def again(self, events: Iterable[Event]) -> Iterator[Event]:
        """Yield a run's events with its finished frames repeated; a frame is handed over after the next one was read."""
        for event in events:
            yield self._whole(event) if isinstance(event, FramesDone) else event

    def _whole(self, done: FramesDone) -> FramesDone:
        runs = [self._times_s.popleft() for _ in done.frames_u8]
        first = done.first_frame + self._clock.frames_repeated
        self._clock.frames_repeated += sum(map(len, runs)) - len(runs)
        frames_u8 = np.repeat(done.frames_u8, [len(run) for run in runs], axis=0)
        return replace(
            done, first_frame=first, frames_u8=frames_u8, times_s=tuple(time_s for run in runs for time_s in run)
        )


def places_of(clip: Iterable[Frame]) -> list[int]:
    """Return where in a clip its frames are that are not equal to the one before: what is told without repeats counts these."""
    repeats = Repeats(Clock(None))
    deque(repeats.once(clip), maxlen=0)
    return [0, *accumulate(map(len, repeats._times_s))][:-1]
