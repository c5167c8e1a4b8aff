"""Where each visitor's last comparison stands, kept on the server: while it runs, after Cancel, and for what is looked at next."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np

from mgld.comparison.request import Material, Request
from mgld.comparison.store import Kept
from mgld.events import Event, FramesDone, Guided
from mgld.settings import KEPT_SESSIONS


@dataclass
class Work:
    """One job: what was asked and read, what is finished, and what the running method has so far."""

    request: Request
    material: Material
    runs: dict[str, object]  # settings by layer
    bicubic: np.ndarray
    predicted_s: float
    kept: dict[str, Kept] = field(default_factory=dict)
    running: str | None = None
    parts: list[np.ndarray] = field(default_factory=list)
    borders: list[int] = field(default_factory=list)
    guided: dict[str, list[Guided]] = field(default_factory=dict)
    table: object | None = None
    taken_s: float = 0.0
    shown: bool = False  # the visitor has seen the whole of it
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def finished(self) -> bool:
        return len(self.kept) == len(self.runs)

    def take(self, name: str, event: Event) -> None:
        """Take an event of a running method: the frames it has so far, and where its segments begin."""
        if self.running != name:
            self.running, self.parts, self.borders = name, [], []
        if isinstance(event, FramesDone):
            self.borders += [event.first_frame] if event.segment_border else []
            self.parts.append(event.frames_u8)

    def layers(self) -> dict[str, np.ndarray]:
        """Return every layer u8 [T,4h,4w,3] that has frames, cut to the frames that all of them have."""
        made = {name: kept.frames_u8 for name, kept in self.kept.items()}
        if self.running is not None and self.parts:
            made[self.running] = np.concatenate(self.parts)
        given = self.material.given
        layers = {"bicubic": self.bicubic, **made, **given}
        count = min(len(frames) for frames in layers.values())
        return {name: frames[:count] for name, frames in layers.items()} if made else {}

    def borders_of(self) -> tuple[int, ...]:
        """Return where segments begin, of the last method that is cut into some."""
        found = [k.borders for k in self.kept.values() if k.borders]
        return found[-1] if found else tuple(self.borders)

    def reports(self) -> dict[str, dict]:
        """Return the engine's report of every finished run, by layer."""
        return {name: kept.report for name, kept in self.kept.items()}


class Sessions:
    """The last work of the most recent visitors; the oldest are forgotten."""

    def __init__(self, limit: int = KEPT_SESSIONS) -> None:
        self._works: OrderedDict[str, Work] = OrderedDict()
        self._limit, self._lock = limit, threading.Lock()

    def put(self, session: str | None, work: Work) -> None:
        """Remember a visitor's work; it may still be running."""
        if session is None:
            return
        with self._lock:
            self._works[session] = work
            self._works.move_to_end(session)
            while len(self._works) > self._limit:
                self._works.popitem(last=False)

    def get(self, session: str | None) -> Work | None:
        """Return a visitor's last work."""
        return self._works.get(session)

    def forget(self, session: str | None) -> None:
        """Drop what a visitor who left had."""
        with self._lock:
            self._works.pop(session, None)
