"""How fast the machine is at this moment: a little work of the kind that runs are made of, timed beside whatever else runs."""

from __future__ import annotations

import time
from collections import deque
from statistics import median

SIDE, WORK_S = 384, 0.2  # of a product of matrices, and how long products are made
FRESH_S, STALE_S = 2.0, 15.0  # between two measurements; after which one tells nothing any more
JUDGED = 5  # of the last measurements the middle one counts: a page that is being drawn slows one of them


class Pace:
    """Seconds that one piece of work takes on the processor; 1 where a GPU does the work, which runs do not share."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._found: deque[tuple[float, float]] = deque([], JUDGED)  # when, and what

    @property
    def last_s(self) -> float:
        """Return the pace of the last measurements; the present one before there are any."""
        return median(pace for _, pace in self._found) if self._found else self.now_s()

    def now_s(self) -> float:
        """Return the present pace."""
        now = time.monotonic()
        while self._found and now - self._found[0][0] > STALE_S:
            self._found.popleft()
        if not self._found or now - self._found[-1][0] >= FRESH_S:
            self._found.append((now, _measured_s() if _is_processor(self._device) else 1.0))
        return self.last_s


def _is_processor(device: str) -> bool:
    from mgld.device import best_device

    return (best_device() if device == "auto" else device) == "cpu"


def _measured_s() -> float:
    import torch

    square = torch.full((SIDE, SIDE), 1.0 / SIDE)
    square @ square  # threads start at the first one
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < WORK_S:
        square @ square
        count += 1
    return (time.perf_counter() - started) / count
