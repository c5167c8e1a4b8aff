"""How long a run will take and how much memory it needs: rates measured on this machine, made better by every run."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np

from mgld.settings import Settings

MEASURED = Settings(method="mgld", steps=2, segment=3, overlap=0)
MEASURED_SIDE_PX = 48
PIXEL_BYTES = 900  # working memory per canvas pixel of a segment: features of the decoder and their copies


@dataclass
class CostModel:
    """Seconds per frame, megapixel of canvas (and step, for sampling), by stage; empty until measured."""

    rates: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def ready(self) -> bool:
        return bool(self.rates)

    def measure(self, pipeline) -> None:
        """Run the smallest useful job twice (the first one warms up) and learn from the second."""
        clip = np.random.default_rng(0).integers(0, 256, (3, MEASURED_SIDE_PX, MEASURED_SIDE_PX, 3), np.uint8)
        for _ in range(2):
            report = _run(pipeline, clip)
        self.learn(report, MEASURED, len(clip), canvas_megapixels(pipeline, MEASURED_SIDE_PX, MEASURED_SIDE_PX))

    def learn(self, report: dict, settings: Settings, frames: int, megapixels: float) -> None:
        """Take the rates of the run that just ended; earlier ones count as much."""
        seen = worked_frames(settings, frames) * megapixels
        with self._lock:
            for stage, seconds in report["seconds"].items():
                rate = seconds / (seen * settings.steps if stage == "sample" else seen)
                self.rates[stage] = (self.rates[stage] + rate) / 2 if stage in self.rates else rate

    def seconds(self, settings: Settings, frames: int, megapixels: float) -> float:
        """Predict one method's run."""
        if settings.method == "bicubic":
            return 0.0
        guided = settings.method in ("mgld", "per_frame+mds")
        work = worked_frames(settings, frames) * megapixels
        stages = {"condition", "sample", "decode", "finish"} | ({"motion"} if guided and settings.guidance else set())
        return sum(self.rates.get(s, 0.0) * (settings.steps if s == "sample" else 1) for s in stages) * work

    @staticmethod
    def memory_bytes(settings: Settings, megapixels: float) -> float:
        """Predict the working memory beside the weights."""
        return PIXEL_BYTES * megapixels * 1e6 * settings.segment


def worked_frames(settings: Settings, frames: int) -> int:
    """Count the frames that are sampled, those that neighbouring segments share twice."""
    alone = settings.method == "per_frame" or settings.segments == "disjoint"
    stride = settings.segment - (0 if alone else min(settings.overlap, settings.segment - 1))
    return frames + (segment_count(settings, frames) - 1) * (settings.segment - stride)


def segment_count(settings: Settings, frames: int) -> int:
    """Count the segments that a clip is cut into."""
    alone = settings.method == "per_frame" or settings.segments == "disjoint"
    overlap = 0 if alone else min(settings.overlap, settings.segment - 1)
    return max(-(-(frames - overlap) // (settings.segment - overlap)), 1)


def canvas_megapixels(pipeline, height: int, width: int) -> float:
    """Return the size at which the networks see a clip's frame."""
    return float(np.prod(pipeline.canvas_for(height, width).padded_hw)) / 1e6


def _run(pipeline, clip: np.ndarray) -> dict:
    from mgld.events import Result
    from mgld.video import Frame

    events = pipeline.run((Frame(rgb, float(i)) for i, rgb in enumerate(clip)), MEASURED)
    return next(e.report for e in events if isinstance(e, Result))
