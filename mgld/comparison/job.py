"""One comparison while it is made: what was asked and read, what is finished, and what the running method has so far."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mgld.canvas import bicubic
from mgld.comparison.figures import Figures
from mgld.comparison.layers import INPUT
from mgld.comparison.request import Material, Request, read
from mgld.comparison.store import FinishedRun
from mgld.constants import KEPT_SESSIONS
from mgld.events import Event, FramesDone, Guided, Resumed
from mgld.settings import Settings

if TYPE_CHECKING:
    from mgld.comparison.takeaway import Takeaway


@dataclass
class ComparisonJob:
    """Settings by layer in runs; what they came to in finished and guided; figures and files once everything has been measured."""

    request: Request
    material: Material
    runs: dict[str, Settings]
    bicubic: np.ndarray  # u8 [T,4h,4w,3]
    predicted_s: float = 0.0  # while nothing is predicted
    finished: dict[str, FinishedRun] = field(default_factory=dict)
    running: str | None = None
    parts: list[np.ndarray] = field(default_factory=list)
    borders: list[int] = field(default_factory=list)
    guided: dict[str, list[Guided]] = field(default_factory=dict)
    resumed: dict[str, Resumed] = field(default_factory=dict)  # layers of which an earlier run had finished a part
    figures: Figures | None = None
    made: dict[str, dict] = field(default_factory=dict)  # the engine's report of each run that the device made for it
    showing_s: float = 0.0
    taken_s: float = 0.0
    taken: Takeaway | None = None
    shown: bool = False  # the visitor has seen the whole of it
    stopped: threading.Event = field(default_factory=threading.Event)

    def take(self, layer: str, event: Event) -> None:
        """Take an event of a running method: what was there, the frames it has so far, and where its segments begin."""
        if self.running != layer:
            self.running, self.parts, self.borders = layer, [], []
        if isinstance(event, Resumed):
            self.resumed[layer] = event
        if isinstance(event, FramesDone):
            self.borders += [event.first_frame] if event.segment_border else []
            self.parts.append(event.frames_u8)

    def finish(self, report: dict) -> FinishedRun:
        """Turn the running method into a finished one."""
        run = FinishedRun(np.concatenate(self.parts), report, tuple(self.borders))
        self.finished[self.running] = run
        self.running, self.parts = None, []
        return run

    def layers(self) -> dict[str, np.ndarray]:
        """Return every layer u8 [T,4h,4w,3] that has frames, cut to those that all have; none while a run has yet to give any."""
        made = {name: run.frames_u8 for name, run in self.finished.items()}
        if self.running is not None and self.parts:
            made[self.running] = np.concatenate(self.parts)
        layers = {INPUT: self.bicubic, **made, **self.material.given}
        count = min(len(frames) for frames in layers.values())
        return {name: frames[:count] for name, frames in layers.items()} if made or not self.runs else {}

    def borders_of(self, count: int) -> tuple[int, ...]:
        """Return where segments begin in the first `count` frames, of the last method that is cut into some."""
        found = [run.borders for run in self.finished.values() if run.borders]
        return tuple(b for b in (found[-1] if found else self.borders) if b < count)

    def reports(self) -> dict[str, dict]:
        """Return the engine's report of every finished run, by layer."""
        return {name: run.report for name, run in self.finished.items()}


def begin(request: Request, runs: dict[str, Settings]) -> ComparisonJob:
    """Read what a request needs; raise UserError if it cannot be used."""
    material = read(request)
    return ComparisonJob(request, material, runs, bicubic(np.stack([f.rgb_u8 for f in material.clip])))


class Sessions:
    """The last jobs of the most recent visitors; the oldest are forgotten."""

    def __init__(self, limit: int = KEPT_SESSIONS) -> None:
        self._jobs: OrderedDict[str, ComparisonJob] = OrderedDict()
        self._limit, self._lock = limit, threading.Lock()

    def put(self, session: str | None, job: ComparisonJob) -> None:
        """Remember a visitor's job; it may still be running."""
        if session is None:
            return
        with self._lock:
            self._jobs[session] = job
            self._jobs.move_to_end(session)
            while len(self._jobs) > self._limit:
                self._jobs.popitem(last=False)

    def get(self, session: str | None) -> ComparisonJob | None:
        """Return a visitor's last job."""
        return self._jobs.get(session)

    def forget(self, session: str | None) -> None:
        """Drop what a visitor who left had."""
        with self._lock:
            self._jobs.pop(session, None)
