"""What is taken home: every result as a video, the labelled comparison, its pictures, and the report as JSON and as one page."""

from __future__ import annotations

import base64
import html
import json
import math
import platform
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np

from mgld import plots
from mgld.comparison.figures import Table, titled
from mgld.metrics.table import columns
from mgld.presets import describe_model
from mgld.ui import words
from mgld.video import VideoWriter

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
    """A finished comparison: layers u8 [T,H,W,3] by name, which of them were made here, and everything that is told of them."""

    clip: Path
    start_s: float
    times_s: tuple[float, ...]
    fps: float
    layers: dict[str, np.ndarray]
    made: tuple[str, ...]
    table: Table
    told: dict


def outcome_of(work, layers: dict[str, np.ndarray]) -> Outcome:
    """Return what a job of the page came to."""
    request, count = work.request, len(next(iter(layers.values())))
    asked = asdict(request) | {"clip": request.clip.name, "others": [p.name for p in request.others]}
    asked |= {"truth": request.truth.name if request.truth else None, "settings": asked.pop("knobs")}
    told = {
        "asked": asked,
        "frames": count,
        "fps": work.material.fps,
        "part": asdict(work.material.part),
        "runs": work.reports(),
        "figures": work.table.rows,
        "curves": work.table.curves,
        "seconds": {"predicted": round(work.predicted_s, 2), "taken": round(work.taken_s, 2)},
        "versions": versions(),
        "model": describe_model(request.model),
    }
    times_s = tuple(f.time_s for f in work.material.clip[:count])
    made = tuple(n for n in layers if n in work.runs)
    return Outcome(request.clip, request.start_s, times_s, work.material.fps, layers, made, work.table, told)


def write_files(folder: Path, outcome: Outcome) -> list[Path]:
    """Write everything but the lossless videos into folder and return the paths, the comparison first."""
    files = [_video(folder / "comparison.mp4", labelled_grid(outcome.layers), outcome)]
    files += [_video(folder / f"{_file_name(n)}.mp4", outcome.layers[n], outcome) for n in outcome.made]
    return [*files, *write_report(folder, outcome, Line())]


def write_report(folder: Path, outcome: Outcome, line: Line) -> list[Path]:
    """Write the pictures, with the profile at this line, and the report as JSON and as one page."""
    pictures = report_pictures(outcome, line)
    files = [folder / f"{name}.png" for name in pictures]
    for file, (_, png) in zip(files, pictures.values(), strict=True):
        file.write_bytes(png)
    told = json.dumps(outcome.told, indent=2, ensure_ascii=False) + "\n"
    (folder / "report.json").write_text(told, encoding="utf-8")
    (folder / "report.html").write_text(report_page(outcome, pictures), encoding="utf-8")
    return [*files, folder / "report.json", folder / "report.html"]


def write_lossless(folder: Path, outcome: Outcome) -> list[Path]:
    """Write every result as FFV1 with the source's sound, exact to the bit."""
    return [
        _video(folder / f"{_file_name(n)}-lossless.mkv", outcome.layers[n], outcome, lossless=True)
        for n in outcome.made
    ]


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that shape a result."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}


def labelled_grid(layers: dict[str, np.ndarray]) -> np.ndarray:
    """Return the layers u8 [T,H,W,3] in the squarest grid, each with its name in the corner: two are a pair, four a quad."""
    marked = [_labelled(frames, words.LAYERS[name]) for name, frames in layers.items()]
    columns = len(marked) if len(marked) < 4 else math.ceil(math.sqrt(len(marked)))
    marked += [np.zeros_like(marked[0])] * (-len(marked) % columns)
    rows = [np.concatenate(marked[i : i + columns], axis=2) for i in range(0, len(marked), columns)]
    return np.concatenate(rows, axis=1)


def report_pictures(outcome: Outcome, line: Line) -> dict[str, tuple[str, bytes]]:
    """Return {file name: (title, PNG)}: one frame of every layer, the temporal profile, the curves."""
    named = {words.LAYERS[name]: frames for name, frames in outcome.layers.items()}
    middle = len(outcome.times_s) // 2
    place = line.place(*next(iter(named.values())).shape[1:3])
    profile = plots.temporal_profile(named, place, outcome.fps, outcome.table.borders, line.along)
    sheet = labelled_grid({n: f[middle : middle + 1] for n, f in outcome.layers.items()})[0]
    return {
        "frames": (words.FRAME_TITLE.format(frame=middle + 1), cv2.imencode(".png", sheet[..., ::-1])[1].tobytes()),
        "profile": (words.PROFILE_TITLE, profile),
        "curves": (words.CURVES_TITLE, plots.frame_curves(titled(outcome.table.curves), outcome.table.borders)),
    }


def report_page(outcome: Outcome, pictures: dict[str, tuple[str, bytes]]) -> str:
    """Return the report as one HTML page with its pictures inside."""
    parts = [f"<h1>{words.TITLE}</h1>", _table(outcome.table), f"<p>{html.escape(words.BLUR_NOTE)}</p>"]
    for title, png in pictures.values():
        data = base64.b64encode(png).decode()
        parts.append(
            f'<h2>{html.escape(title)}</h2><img alt="{html.escape(title)}" src="data:image/png;base64,{data}">'
        )
    told = html.escape(json.dumps(outcome.told, indent=2, ensure_ascii=False))
    parts.append(f"<h2>{words.SETTINGS_TITLE}</h2><pre>{told}</pre>")
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{words.TITLE}</title><style>{STYLE}</style>'
    return head + "".join(parts)


def _video(path: Path, frames_u8: Sequence[np.ndarray], outcome: Outcome, lossless: bool = False) -> Path:
    """Write frames with the source's sound."""
    with VideoWriter(path, outcome.fps, audio_from=outcome.clip, start_s=outcome.start_s, lossless=lossless) as writer:
        for frame, time_s in zip(frames_u8, outcome.times_s, strict=True):
            writer.write(frame, time_s)
    return path


def _labelled(frames: np.ndarray, label: str) -> np.ndarray:
    size = max(frames.shape[1] / 700, 0.4)
    marked = frames.copy()
    for frame in marked:
        for colour, weight in (((0, 0, 0), 4), ((255, 255, 255), 1)):
            cv2.putText(
                frame, label, (8, int(30 * size) + 4), cv2.FONT_HERSHEY_SIMPLEX, size, colour, weight, cv2.LINE_AA
            )
    return marked


def _file_name(layer: str) -> str:
    return "".join(c if c.isalnum() or c in "._" else "-" for c in layer)


def _table(table: Table) -> str:
    shown = columns(table.rows)
    head = "".join(f"<th>{html.escape(text)}</th>" for text in ("", *(metric.heading for metric in shown)))
    body = "".join(
        f"<tr><th>{html.escape(words.LAYERS[name])}</th>"
        + "".join(f"<td>{metric.text(row[metric.key])}</td>" for metric in shown)
        + "</tr>"
        for name, row in table.rows.items()
    )
    return f"<table><tr>{head}</tr>{body}</table>"
