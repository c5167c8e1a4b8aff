"""What a visitor takes home: every result as a video, the labelled comparison, and the report as JSON and as one page."""

from __future__ import annotations

import base64
import html
import json
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np

from mgld import plots
from mgld.ui import words
from mgld.ui.figures import Table
from mgld.video import VideoWriter
from mgld.weights.identity import describe_model

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}img{max-width:100%}"
    "table{border-collapse:collapse}td,th{padding:.3rem .8rem;border-bottom:1px solid #ccc;text-align:right}"
    "pre{overflow:auto;background:#f4f4f4;padding:1rem}"
)


def write_files(folder: Path, request, known, clip, layers, reports: dict, table: Table, model: str) -> list[Path]:
    """Write all files into folder and return them, the comparison first."""
    times_s = [frame.time_s for frame in clip]
    files = [_video(folder / "comparison.mp4", _labelled(layers), times_s, known.fps, None, 0.0)]
    for method in reports:
        name = folder / f"{method.replace('+', '-')}.mp4"
        files.append(_video(name, layers[method], times_s, known.fps, request.clip, request.start_s))
    told = {
        "settings": asdict(request.knobs),
        "methods": list(request.methods),
        "start_s": request.start_s,
        "frames": len(clip),
        "runs": reports,
        "figures": table.rows,
        "model": describe_model(model),
    }
    (folder / "report.json").write_text(json.dumps(told, indent=2) + "\n")
    (folder / "report.html").write_text(_page(told, layers, known.fps, table), encoding="utf-8")
    return [*files, folder / "report.json", folder / "report.html"]


def _video(path: Path, frames_u8, times_s: list[float], fps: float, sound: Path | None, start_s: float) -> Path:
    with VideoWriter(path, fps, audio_from=sound, start_s=start_s) as writer:
        for frame, time_s in zip(frames_u8, times_s, strict=True):
            writer.write(frame, time_s)
    return path


def _labelled(layers: dict[str, np.ndarray]) -> np.ndarray:
    """Return the layers side by side u8 [T,H,n·W,3], each with its name in the corner."""
    parts = []
    for name, frames in layers.items():
        label, height = words.LAYERS[name], frames.shape[1]
        size = max(height / 700, 0.4)
        marked = frames.copy()
        for frame in marked:
            for colour, weight in (((0, 0, 0), 4), ((255, 255, 255), 1)):
                cv2.putText(frame, label, (8, int(30 * size) + 4), cv2.FONT_HERSHEY_SIMPLEX, size, colour, weight, cv2.LINE_AA)
        parts.append(marked)
    return np.concatenate(parts, axis=2)


def _page(told: dict, layers: dict[str, np.ndarray], fps: float, table: Table) -> str:
    """Return the report as one HTML page with its pictures inside."""
    named = {words.LAYERS[name]: frames for name, frames in layers.items()}
    row = next(iter(layers.values())).shape[1] // 2
    pictures = {
        words.PROFILE_TITLE: plots.temporal_profile(named, row, fps, table.borders),
        words.CURVES_TITLE: plots.frame_curves(table.curves, table.borders),
    }
    parts = [f"<h1>{words.TITLE}</h1>", _table(table)]
    for title, png in pictures.items():
        data = base64.b64encode(png).decode()
        parts.append(f'<h2>{html.escape(title)}</h2><img alt="{html.escape(title)}" src="data:image/png;base64,{data}">')
    parts.append(f"<h2>{words.SETTINGS_TITLE}</h2><pre>{html.escape(json.dumps(told, indent=2))}</pre>")
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{words.TITLE}</title><style>{STYLE}</style>'
    return head + "".join(parts)


def _table(table: Table) -> str:
    names = [n for n in next(iter(table.rows.values()))]
    head = "".join(f"<th>{html.escape(n)}</th>" for n in ("", *names))
    body = "".join(
        f"<tr><th>{html.escape(words.LAYERS[m])}</th>" + "".join(f"<td>{words.figure(v)}</td>" for v in row.values()) + "</tr>"
        for m, row in table.rows.items()
    )
    return f"<table><tr>{head}</tr>{body}</table>"
