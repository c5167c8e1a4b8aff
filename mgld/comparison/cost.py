"""How much work a run is and how much memory it needs: rates measured on this machine, made better by every run.

Work is counted in pieces (`pace.py`): seconds divided by what a piece took when they were spent. So a rate that was learned beside
other programs is as good as one that was learned alone, and a prediction follows the machine's load.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from mgld.events import Event, Result
from mgld.methods import METHODS, follows_motion, is_filtered, worked_frames
from mgld.settings import Settings
from mgld.video import Frame

# The same kind of work on small and larger frames: overhead is large on the first, arithmetic on the second. Method and side in
# pixels; the first of each size warms up, since libraries prepare themselves for every new shape.
MEASURED = (("mgld", 32), ("mgld", 32), ("mgld", 96), ("mgld", 96), ("per_frame", 96))
MEASURED_FRAMES = 5  # a usual segment
MEASURED_STEPS = 2
# What previews, the growing comparison and a browser, if it is on the same machine, take of its processor while a job runs: on two
# cores looks during watched runs took 1.0 to 1.7 times the best. It slows the stages; a page that plays does so before the run.
WATCHING_CORES = 0.8
OVERHEAD = 1.05  # how much longer than its stages a run takes, before any has told
OVERHEAD_WEIGHT = 1 / 3  # of the newest run's
# Of a segment, float32 RGB, that are there at once whatever the tiles: enlarged, decoded, joined, coloured.
WHOLE_PICTURES = 4
SHOWING = "show"  # measuring flicker and encoding the comparison


@dataclass
class CostModel:
    """Pieces of work per frame (and step, for sampling) by method and stage, at every canvas size that was seen; none at first.

    overhead is how much longer a run takes than its stages do.
    """

    rates: dict[tuple[str, str], dict[float, float]] = field(default_factory=dict)
    peaks: dict[float, float] = field(default_factory=dict)  # bytes by megapixels of a segment
    overhead: float = OVERHEAD
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def ready(self) -> bool:
        return any(stage == "sample" for _, stage in self.rates)

    def measure(
        self,
        run: Callable[[list, Settings], Iterator[Event]],
        pipeline,
        go_on: Callable[[], bool],
        pace_s: Callable[[], float] = lambda: 1.0,
    ) -> None:
        """Do the smallest useful work and learn from it; stop, having learned nothing, once go_on says that the device is needed.

        One size alone would mislead: small frames tell of overhead only.
        """
        warm: set[int] = set()
        learned = []
        for method, side in MEASURED:
            clip_u8 = np.random.default_rng(0).integers(0, 256, (MEASURED_FRAMES, side, side, 3), np.uint8)
            clip = [Frame(rgb, float(i)) for i, rgb in enumerate(clip_u8)]
            settings = Settings(
                method=method, steps=MEASURED_STEPS, segment=MEASURED_FRAMES, overlap=0, scenes="ignored"
            )
            events = run(clip, settings)
            for event in events:
                if not go_on():
                    return events.close()
                if isinstance(event, Result) and side in warm:
                    megapixels = canvas_megapixels(pipeline, side, side)
                    learned.append((event.report, settings, len(clip), megapixels, pace_s()))
            warm.add(side)
        for known in learned:
            self.learn(*known)

    def learn(self, report: dict, settings: Settings, frames: int, megapixels: float, pace_s: float) -> None:
        """Take the rates of the run that just ended, at a pace of pace_s; earlier ones at the same size count half as much."""
        made = frames - report["frames_repeated"]  # repeats cost next to nothing
        pieces = pace_s * worked_frames(settings, made)
        for stage, seconds in report["seconds"].items():
            self.learn_stage(settings.method, stage, megapixels, seconds / (pieces * _repeats(stage, settings)))
        with self._lock:
            self.peaks[megapixels * min(settings.segment, made)] = report["peak_memory_bytes"]

    def learn_stage(self, method: str, stage: str, megapixels: float, rate: float) -> None:
        """Take one rate in pieces per frame."""
        with self._lock:
            known = self.rates.setdefault((method, stage), {})
            known[megapixels] = (2 * rate + known[megapixels]) / 3 if megapixels in known else rate

    def learn_overhead(self, taken_s: float, stages_s: float) -> None:
        """Take how much longer than its stages a run took, previews and all."""
        self.overhead = self.overhead ** (1 - OVERHEAD_WEIGHT) * max(taken_s / stages_s, 1.0) ** OVERHEAD_WEIGHT

    def work(self, settings: Settings, frames: int, megapixels: float, sampled: bool = False) -> float:
        """Predict one method's run in pieces; sampled says that its latents are already there."""
        if METHODS[settings.method].peer:
            return 0.0
        moved = is_filtered(settings) if sampled else follows_motion(settings)
        before = (*(("motion",) if moved else ()), *(() if sampled else ("sample",)))
        # the decoder too wants the LQ frames encoded
        stages = ("read", "condition", *before, "decode", "finish", "handover")
        per_frame = sum(self._rate(settings.method, s, megapixels) * _repeats(s, settings) for s in stages)
        return per_frame * worked_frames(settings, frames)

    def showing_work(self, layers: int, frames: int, megapixels: float) -> float:
        """Predict what measuring and encoding the comparison takes, in pieces."""
        return self._rate("", SHOWING, megapixels) * layers * frames

    def memory_bytes(self, settings: Settings, frames: int, megapixels: float) -> float | None:
        """Predict the process's peak, a line over the pixels of a segment from the largest that was seen; None until two were."""
        with self._lock:
            seen = sorted(self.peaks.items())
        if len(seen) < 2:
            return None
        sizes, peaks = zip(*seen, strict=True)
        # the process may have grown between two runs: the smaller one's peak is not to say that pixels cost nothing
        slope = max(np.polyfit(sizes, np.maximum.accumulate(peaks), 1)[0], WHOLE_PICTURES * 3 * 4 * 1e6)
        return max(peaks) + slope * (megapixels * min(settings.segment, frames) - sizes[-1])

    def _rate(self, method: str, stage: str, megapixels: float) -> float:
        with self._lock:
            known = self.rates.get((method, stage)) or self.rates.get(("mgld", stage)) or {}
            points = sorted(known.items())
        if not points:
            return 0.0
        sizes, rates = zip(*points, strict=True)
        # beyond the largest size seen the arithmetic rules, which grows with the pixels
        return float(np.interp(megapixels, sizes, rates)) * max(megapixels / sizes[-1], 1.0)


def watched(device: str) -> float:
    """Return how much longer a run takes that somebody watches than the same run alone."""
    return 1 + WATCHING_CORES / (os.cpu_count() or 1) if device == "cpu" else 1.0


def _repeats(stage: str, settings: Settings) -> int:
    return settings.steps if stage == "sample" else 1


def canvas_megapixels(pipeline, height: int, width: int) -> float:
    """Return the size at which the networks see a clip's frame."""
    return float(np.prod(pipeline.networks.canvas_for(height, width).padded_hw)) / 1e6
