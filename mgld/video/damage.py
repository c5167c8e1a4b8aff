"""What was found broken while a clip was read, so that it can be said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import av.logging


@dataclass
class Damage:
    """Counts packets that gave no picture; first_s is the time of the first packet that made trouble."""

    packets: int = 0
    lost: int = 0
    first_s: float | None = None
    _now_s: float = 0.0

    def begin(self, time_s: float | None) -> None:
        """Take notice of the next packet, shown at time_s."""
        self.packets += 1
        self._now_s = self._now_s if time_s is None else time_s

    def forget(self) -> None:
        """Let go what was found so far: after a jump into a clip, decoders complain of what they did not see."""
        self.packets = self.lost = 0
        self.first_s = None

    def seen(self, lost: bool = False) -> None:
        """Take notice of trouble with the present packet; lost says that it gives no picture."""
        self.lost += lost
        self.first_s = self._now_s if self.first_s is None else min(self.first_s, self._now_s)

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Listen to libav's log meanwhile: most decoders conceal damage, and tell of it only there."""
        with av.logging.Capture(local=True) as lines:
            yield
        if any(level <= av.logging.ERROR for level, _, _ in lines):
            self.seen()

    def notes(self, start_s: float) -> Iterator[str]:
        """Say what was found, in seconds since start_s."""
        if self.first_s is None:
            return
        lost = f" ({self.lost} of {self.packets} packets gave no picture)" if self.lost else ""
        yield f"damaged from {max(self.first_s - start_s, 0):.2f} s on{lost}: what could be saved is shown"
