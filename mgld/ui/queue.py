"""Who has the device, and who waits for it in which order: what a waiting visitor is told."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile


class DeviceQueue:
    """Visitors whose runs wait for the device, each with the seconds that it was predicted to take (0 while unknown)."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, float] = OrderedDict()
        self._running: str | None = None
        self._until_s = 0.0  # on the monotonic clock, when the running one is thought to end; 0 while unknown
        self._lock = threading.Lock()

    def enter(self, session: str | None, seconds: float) -> tuple[int, float]:
        """Line up; return the place, as place() does."""
        with self._lock:
            if session is not None and session != self._running:
                self._waiting[session] = seconds
        return self.place(session)

    def place(self, session: str | None) -> tuple[int, float]:
        """Return how many runs are ahead of one that waits, and in how many seconds it begins (0 where that is unknown)."""
        with self._lock:
            if session not in self._waiting:
                return 0, 0.0
            ahead = [seconds for _, seconds in takewhile(lambda item: item[0] != session, self._waiting.items())]
            left_s = max(self._until_s - time.monotonic(), 0.0)
            known = self._running is None or (left_s > 0 and all(ahead))
            return len(ahead) + (self._running is not None), left_s + sum(ahead) if known else 0.0

    def begin(self, session: str | None) -> None:
        """Take the device."""
        with self._lock:
            self._waiting.pop(session, None)
            self._running, self._until_s = session, 0.0

    @contextmanager
    def held(self, session: str | None) -> Iterator[None]:
        """Take the device, and give it on however the run ends: not every client calls what the page does after a run."""
        self.begin(session)
        try:
            yield
        finally:
            self.leave(session)

    def predict(self, session: str | None, seconds: float) -> None:
        """Tell how long the run that has the device will take from now on."""
        with self._lock:
            if session == self._running and seconds:
                self._until_s = time.monotonic() + seconds

    def leave(self, session: str | None) -> None:
        """Give the device, or the place in the line, to the next one."""
        with self._lock:
            self._waiting.pop(session, None)
            if session == self._running:
                self._running, self._until_s = None, 0.0
