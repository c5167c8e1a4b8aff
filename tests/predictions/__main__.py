"""Ten different runs as the page makes them, each with what was predicted and what it took: `python -m tests.predictions`.

A developer's command, no test: it takes minutes, and tells something on a machine whose load stays about the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from mgld.comparison import estimate
from mgld.comparison.asked import EXAMPLES, Asked
from mgld.comparison.request import checked
from mgld.constants import DEFAULT_MODEL, PREDICTED_RANGE
from mgld.settings import Settings
from mgld.ui import running, words
from mgld.ui.page import this_machine

WANTED = 8  # of ten that must be within their range
BOTH = ["per_frame", "mgld"]
RUNS = (
    Asked(str(EXAMPLES["reef"]), BOTH, frames=8, crop="0,0,50,50"),
    Asked(str(EXAMPLES["dog"]), BOTH, frames=5, crop="25,0,75,100"),
    Asked(str(EXAMPLES["city"]), ["mgld"], frames=9, crop="0,0,40,60"),
    Asked(str(EXAMPLES["reef"]), ["per_frame"], frames=6, knobs=Settings(steps=4)),
    Asked(str(EXAMPLES["dog"]), BOTH, frames=1),
    Asked(str(EXAMPLES["city"]), BOTH, frames=4, knobs=Settings(steps=1, segment=9)),
    Asked(str(EXAMPLES["reef"]), BOTH, frames=5, crop="20,20,60,60", knobs=Settings(steps=10)),
    Asked(str(EXAMPLES["dog"]), ["mgld"], frames=7, crop="0,0,60,60", knobs=Settings(flow="spynet")),
    Asked(str(EXAMPLES["city"]), ["per_frame", "per_frame+tsd", "mgld"], frames=5, crop="0,0,40,40"),
    Asked(str(EXAMPLES["reef"]), BOTH, frames=16, start_s=0.4),
)


def main() -> int:
    """Measure the machine as the page does, then predict and run; return 1 if too many ranges did not hold."""
    machine = this_machine("cpu")
    estimate.calibrate(DEFAULT_MODEL, machine)
    within = 0
    for predicted_s, taken_s in timed(machine):
        low_s, high_s = (share * predicted_s for share in PREDICTED_RANGE)
        within += low_s <= taken_s <= high_s
        load = os.getloadavg()[0]
        said = "within" if low_s <= taken_s <= high_s else "OUTSIDE"
        print(
            f"{words.span(low_s, high_s):>18}  took {taken_s:6.1f} s  ×{taken_s / predicted_s:.2f}  {said}  load {load:.1f}",
            flush=True,
        )
    print(f"{within} of {len(RUNS)} within their range")
    return int(within < WANTED)


def timed(machine) -> Iterator[tuple[float, float]]:
    """Yield each run's predicted and taken seconds."""
    for asked in RUNS:
        for _ in running.compare(machine, checked(asked), "predictions"):
            pass
        job = running.SESSIONS.get("predictions")
        yield job.predicted_s, job.taken_s


if __name__ == "__main__":
    sys.exit(main())
