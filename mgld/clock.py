"""Where a run stands: time spent per stage, and time left."""

from __future__ import annotations

import time

from mgld.events import Progress


class Clock:
    """Time spent per stage, and time left."""

    def __init__(self, total_frames: int | None) -> None:
        self.total_frames = total_frames
        self.stages: dict[str, float] = {}
        self.frames_done = 0
        self.frames_repeated = 0  # of those, the ones that were equal to the one before
        self.frames_resumed = 0  # those that an earlier run had finished
        self._started = self._last = time.monotonic()
        self._stride = 1

    def plan(self, stride: int) -> None:
        """Note how many frames one segment advances."""
        self._stride = stride

    def resume(self) -> None:
        """Note that the frames up to here were there already: how fast the work is shows from now on."""
        self.frames_resumed, self._started = self.frames_done, time.monotonic()

    def frames_told(self) -> dict[str, int]:
        """Return what a report says of the frames."""
        return {
            "frames": self.frames_done, "frames_resumed": self.frames_resumed, "frames_repeated": self.frames_repeated
        }  # fmt: skip

    def mark(self, stage: str) -> None:
        """Charge the time since the last mark to a stage."""
        now = time.monotonic()
        self.stages[stage] = self.stages.get(stage, 0.0) + now - self._last
        self._last = now

    def progress(self, first: int, step: int, steps: int, stage: str = "sample") -> Progress:
        """Return where the run stands, in frames, with the seconds left if the clip's length is known and work has begun."""
        if self.total_frames is None:
            return Progress(stage, first, None, None)
        done = min(first + self.frames_repeated + self._stride * step / steps, self.total_frames)
        made, passed_s = done - self.frames_resumed, time.monotonic() - self._started
        left_s = passed_s * (self.total_frames - done) / made if made > 0 else None
        return Progress(stage, done, self.total_frames, left_s)
