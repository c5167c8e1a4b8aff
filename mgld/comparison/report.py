"""What is reported of a comparison: what was asked, how it was made and what was measured, and the pictures of it."""

from __future__ import annotations

import platform
import re
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.metadata import version

import cv2
import numpy as np

from mgld import plots
from mgld.comparison.figures import Figures, titled
from mgld.comparison.grid import labelled_grid
from mgld.comparison.job import ComparisonJob
from mgld.comparison.layers import CURVES_TITLE, PROFILE_TITLE, label_of
from mgld.comparison.request import Request
from mgld.constants import LIBRARIES
from mgld.presets import describe_model, name_of
from mgld.settings import Settings

TITLE = "MGLD Studio"


@dataclass(frozen=True)
class Line:
    """Where a temporal profile is cut: along x or y, at a share 0…1 of the other side."""

    along: str = "x"
    at: float = 0.5

    def place(self, height: int, width: int) -> int:
        """Return the pixel row or column."""
        side = height if self.along == "x" else width
        return min(int(self.at * side), side - 1)


def line_of(text: str) -> Line | None:
    """Read what the stage says of its line, "x 0.5"; None if it says nothing sensible."""
    found = re.fullmatch(r"([xy]) (0(?:\.\d{1,20})?|1)", text or "")
    return Line(found[1], float(found[2])) if found else None


@dataclass(frozen=True)
class Outcome:
    """A finished comparison: layers u8 [T,H,W,3] by name, the settings of those that were made here, and the record of how."""

    request: Request
    date: datetime
    times_s: tuple[float, ...]
    fps: float
    layers: dict[str, np.ndarray]
    made: dict[str, Settings]
    figures: Figures
    record: dict

    @property
    def model(self) -> str:
        """Return what the model that ran is called."""
        return name_of(self.request.model)


def outcome_of(job: ComparisonJob) -> Outcome:
    """Return what a job that has been measured came to."""
    request, layers, figures = job.request, job.layers(), job.figures
    count, now = len(next(iter(layers.values()))), datetime.now(timezone.utc)
    asked = asdict(request) | {"clip": request.clip.name, "others": [p.name for p in request.others]}
    asked["model"] = name_of(request.model)
    asked |= {"truth": request.truth.name if request.truth else None, "settings": asked.pop("knobs")}
    record = {
        "date": now.isoformat(timespec="seconds"),
        "asked": asked,
        "frames": count,
        "fps": job.material.fps,
        "part": asdict(job.material.part) | {"model": name_of(request.model)},
        "runs": job.reports(),
        "figures": figures.rows,
        "curves": figures.curves,
        "seconds": {"predicted": round(job.predicted_s, 2) or None, "taken": round(job.taken_s, 2)},
        "versions": versions(),
        "model": describe_model(request.model) | {"name": name_of(request.model)},
    }
    times_s = tuple(f.time_s for f in job.material.clip[:count])
    made = {name: job.runs[name] for name in layers if name in job.runs}
    return Outcome(request, now, times_s, job.material.fps, layers, made, figures, record)


def report_pictures(outcome: Outcome, line: Line) -> dict[str, tuple[str, bytes]]:
    """Return {file name: (title, PNG)}: one frame of every layer, the temporal profile, the curves."""
    named = {label_of(name): frames for name, frames in outcome.layers.items()}
    middle = len(outcome.times_s) // 2
    place = line.place(*next(iter(named.values())).shape[1:3])
    where = f"{'row' if line.along == 'x' else 'column'} {place}"
    profile = plots.temporal_profile(named, place, outcome.fps, outcome.figures.borders, line.along)
    measured = outcome.figures.curves
    curves = plots.frame_curves(titled(measured), plots.colours_of(list(measured)), outcome.figures.borders)
    sheet = labelled_grid({n: f[middle : middle + 1] for n, f in outcome.layers.items()})[0]
    return {
        "frames": (f"Frame {middle + 1}, all layers labelled", cv2.imencode(".png", sheet[..., ::-1])[1].tobytes()),
        "profile": (f"{PROFILE_TITLE} at {where}", profile),
        "curves": (CURVES_TITLE, curves),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that shape a result."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}
