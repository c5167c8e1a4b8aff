"""How fast the machine is at this moment: a little work of the kind that runs are made of, timed beside whatever else runs."""

from __future__ import annotations

import math
import threading
import time
from collections import deque

# The work: products of matrices of this side, so many in one call, which takes as long as the networks' own; and how long they are
# made. Between two calls Python's other threads come in: beside a page that was being drawn, calls of a millisecond took six.
SIDE, BATCH, WORK_S = 384, 16, 0.2
FRESH_S, STALE_S = 2.0, 15.0  # between two looks; after which one tells nothing any more
JUDGED = 5  # of the last looks the fastest counts: a page that is being drawn, or a clip that is being read, slows the others


class Pace:
    """Seconds that one piece of work takes on the processor; 1 where a GPU does the work, which runs do not share."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._found: deque[tuple[float, float]] = deque([], JUDGED)  # when, and what
        self._lock = threading.Lock()  # events of one visitor ask at once, and two looks would slow each other
        self.best_s = math.inf  # of all looks: nearest to the machine by itself

    @property
    def last_s(self) -> float:
        """Return the pace of the last looks; the present one before there are any."""
        return min(pace for _, pace in self._found) if self._found else self.now_s()

    def now_s(self) -> float:
        """Return the present pace."""
        with self._lock:
            now = time.monotonic()
            while self._found and now - self._found[0][0] > STALE_S:
                self._found.popleft()
            if not self._found or now - self._found[-1][0] >= FRESH_S:
                self._found.append((now, _measured_s() if _is_processor(self._device) else 1.0))
                self.best_s = min(self.best_s, self._found[-1][1])
            return min(pace for _, pace in self._found)


def _is_processor(device: str) -> bool:
    from mgld.device import best_device

    return (best_device() if device == "auto" else device) == "cpu"


def _measured_s(batch: int = BATCH) -> float:
    import torch

    squares = torch.full((batch, SIDE, SIDE), 1.0 / SIDE, dtype=torch.float32)
    squares @ squares  # threads start at the first one
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < WORK_S:
        squares @ squares
        count += batch
    return (time.perf_counter() - started) / count
