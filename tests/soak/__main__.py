"""`python -m tests.soak [--visitors N] [--jobs N]`: visitors at once, then one job after the other; 1 if anything grew."""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from tests.soak.studio import Held, Studio
from tests.soak.visitor import Visit, all_at_once, visit

WARM_UP = 8  # jobs until caches are full: the last six visitors' comparisons are kept
SETTLE_S = 150  # files go a minute after they were last needed; the page looks every ten seconds
TOLD_EVERY = 25  # jobs
GROWTH = 0.10  # of memory that is taken for none


def settled(studio: Studio, before: Held | None = None) -> Held:
    """Wait until the page holds no more than before, or is given up waiting for."""
    end, held = time.monotonic() + SETTLE_S, studio.held()
    while before is not None and grown(before, held) and time.monotonic() < end:
        time.sleep(2)
        held = studio.held()
    return held


def grown(before: Held, after: Held) -> list[str]:
    """Name what a page that is idle again holds more of than before: memory by a share, the rest by count."""
    is_larger = after.rss_mb > (1 + GROWTH) * before.rss_mb
    found = [f"memory {before.rss_mb} → {after.rss_mb} MB"] if is_larger else []
    for name in ("threads", "open_files", "processes", "files_on_disk"):
        one, two = getattr(before, name), getattr(after, name)
        found += [f"{name} {one} → {two}"] if two > one + 3 else []  # a keep-alive connection, a pool's next thread
    return found


def wrong(visits: list[Visit]) -> list[str]:
    """Name the visitors who got no result, or not their own."""
    told = [f"visitor {v.number} was told {v.refusal!r}" for v in visits if v.refusal]
    return told + [f"visitor {v.number} got {v.got} for {v.asked}" for v in visits if not v.refusal and not v.is_own]


def told(faults: list[str]) -> list[str]:
    """Print what went wrong at once: the rest may take long."""
    print(*faults, sep="\n", end="\n" if faults else "", flush=True)
    return faults


def load(studio: Studio, count: int, folder: Path) -> list[str]:
    """Let so many come at once; return what went wrong."""
    before = settled(studio)
    visits = all_at_once(studio.address, count, folder)
    faults = told(wrong(visits))
    faults += grown(before, after := settled(studio, before))
    waited = sum(any(v.places) for v in visits)
    print(f"{count} visitors at once: {sum(v.is_own for v in visits)} got their own clip, {waited} were told a place")
    print(f"  the longest waited {max(v.seconds for v in visits):.0f} s; the last in the line was told {_last(visits)}")
    print(f"  before: {before}\n  after:  {after}")
    return faults + ([] if waited >= count - 2 else ["not all who waited were told a place"])


def _last(visits: list[Visit]) -> int:
    return max((max(v.places, default=0) for v in visits), default=0)


def soak(studio: Studio, jobs: int, folder: Path, most_s: float) -> list[str]:
    """Run one job after the other, up to so many seconds; return what went wrong or grew."""
    before, visits, end = settled(studio), [], time.monotonic() + most_s
    while len(visits) < jobs and time.monotonic() < end:
        visits.append(visit(studio.address, len(visits), folder))
        if len(visits) % TOLD_EVERY == 0:
            print(f"  after {len(visits)} jobs: {studio.held()}", flush=True)
    faults = told(wrong(visits))
    faults += grown(before, after := settled(studio, before))
    print(f"{len(visits)} jobs, {sum(v.seconds for v in visits) / len(visits):.1f} s each")
    print(f"  before: {before}\n  after:  {after}")
    return faults


def main() -> int:
    """Load, soak, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=60.0, help="after which no further job is begun")
    chosen = parser.parse_args()
    print(f"{date.today()}, {platform.machine()}, {platform.system()}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory(prefix="mgld-soak-") as name:
        studio, folder = Studio(Path(name)), Path(name)
        try:
            faults = wrong([visit(studio.address, i, folder) for i in range(WARM_UP)])
            faults += load(studio, chosen.visitors, folder) if chosen.visitors else []
            faults += soak(studio, chosen.jobs, folder, 60 * chosen.minutes) if chosen.jobs else []
            faults += ["the log has a traceback"] if "Traceback" in studio.log.read_text() else []
            if faults:
                print(studio.log.read_text()[-3000:])
        finally:
            studio.close()
    print("\n".join(faults) or "Nothing went wrong, nothing grew.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
