"""The report of a comparison: what was asked, how it was made and what was measured, as JSON and as one page with its pictures."""

from __future__ import annotations

import base64
import html
import json
import platform
import re
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np

from mgld import plots
from mgld.comparison.figures import BLUR_NOTE, Figures, titled
from mgld.comparison.grid import labelled_grid
from mgld.comparison.job import ComparisonJob
from mgld.comparison.layers import label_of
from mgld.metrics.table import columns
from mgld.presets import describe_model

TITLE = "MGLD Studio"
PROFILE_TITLE = "Temporal profile"
CURVES_TITLE = "Flicker and sharpness, frame by frame"
LIBRARIES = ("torch", "diffusers", "gradio", "av", "opencv-python", "numpy")
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1e293b}img{max-width:100%}"
    "table{border-collapse:collapse}td,th{padding:.3rem .8rem;border-bottom:1px solid #ccc;text-align:right}"
    "pre{overflow:auto;background:#f4f4f4;padding:1rem}"
)


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
    """A finished comparison: layers u8 [T,H,W,3] by name, which of them were made here, and the record of how."""

    clip: Path
    start_s: float
    times_s: tuple[float, ...]
    fps: float
    layers: dict[str, np.ndarray]
    made: tuple[str, ...]
    figures: Figures
    record: dict


def outcome_of(job: ComparisonJob) -> Outcome:
    """Return what a job that has been measured came to."""
    request, layers, figures = job.request, job.layers(), job.figures
    count = len(next(iter(layers.values())))
    asked = asdict(request) | {"clip": request.clip.name, "others": [p.name for p in request.others]}
    asked |= {"truth": request.truth.name if request.truth else None, "settings": asked.pop("knobs")}
    record = {
        "asked": asked,
        "frames": count,
        "fps": job.material.fps,
        "part": asdict(job.material.part),
        "runs": job.reports(),
        "figures": figures.rows,
        "curves": figures.curves,
        "seconds": {"predicted": round(job.predicted_s, 2), "taken": round(job.taken_s, 2)},
        "versions": versions(),
        "model": describe_model(request.model),
    }
    times_s = tuple(f.time_s for f in job.material.clip[:count])
    made = tuple(n for n in layers if n in job.runs)
    return Outcome(request.clip, request.start_s, times_s, job.material.fps, layers, made, figures, record)


def report_pictures(outcome: Outcome, line: Line) -> dict[str, tuple[str, bytes]]:
    """Return {file name: (title, PNG)}: one frame of every layer, the temporal profile, the curves."""
    named = {label_of(name): frames for name, frames in outcome.layers.items()}
    middle = len(outcome.times_s) // 2
    place = line.place(*next(iter(named.values())).shape[1:3])
    profile = plots.temporal_profile(named, place, outcome.fps, outcome.figures.borders, line.along)
    curves = plots.frame_curves(titled(outcome.figures.curves), outcome.figures.borders)
    sheet = labelled_grid({n: f[middle : middle + 1] for n, f in outcome.layers.items()})[0]
    return {
        "frames": (f"Frame {middle + 1}", cv2.imencode(".png", sheet[..., ::-1])[1].tobytes()),
        "profile": (PROFILE_TITLE, profile),
        "curves": (CURVES_TITLE, curves),
    }


def report_page(outcome: Outcome, pictures: dict[str, tuple[str, bytes]]) -> str:
    """Return the report as one HTML page with its pictures inside."""
    parts = [f"<h1>{TITLE}</h1>", _table(outcome.figures), f"<p>{html.escape(BLUR_NOTE)}</p>"]
    for title, png in pictures.values():
        data = base64.b64encode(png).decode()
        parts.append(
            f'<h2>{html.escape(title)}</h2><img alt="{html.escape(title)}" src="data:image/png;base64,{data}">'
        )
    record = html.escape(json.dumps(outcome.record, indent=2, ensure_ascii=False))
    parts.append(f"<h2>Settings, versions, timings</h2><pre>{record}</pre>")
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{TITLE}</title><style>{STYLE}</style>'
    return head + "".join(parts)


def _table(figures: Figures) -> str:
    shown = columns(figures.rows)
    head = "".join(f"<th>{html.escape(text)}</th>" for text in ("", *(metric.heading for metric in shown)))
    body = "".join(
        f"<tr><th>{html.escape(label_of(name))}</th>"
        + "".join(f"<td>{metric.text(row[metric.key])}</td>" for metric in shown)
        + "</tr>"
        for name, row in figures.rows.items()
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that shape a result."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}
