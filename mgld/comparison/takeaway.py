"""What is taken home: every result as a video, the labelled comparison, its pictures, and the report as JSON and as one page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mgld.comparison.grid import labelled_grid
from mgld.comparison.report import Line, Outcome, report_page, report_pictures
from mgld.video import VideoWriter


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
    record = json.dumps(outcome.record, indent=2, ensure_ascii=False) + "\n"
    (folder / "report.json").write_text(record, encoding="utf-8")
    (folder / "report.html").write_text(report_page(outcome, pictures), encoding="utf-8")
    return [*files, folder / "report.json", folder / "report.html"]


def write_lossless(folder: Path, outcome: Outcome) -> list[Path]:
    """Write every result as FFV1 with the source's sound, exact to the bit."""
    return [
        _video(folder / f"{_file_name(n)}-lossless.mkv", outcome.layers[n], outcome, lossless=True)
        for n in outcome.made
    ]


def _video(path: Path, frames_u8: Sequence[np.ndarray], outcome: Outcome, lossless: bool = False) -> Path:
    """Write frames with the source's sound."""
    with VideoWriter(path, outcome.fps, audio_from=outcome.clip, start_s=outcome.start_s, lossless=lossless) as writer:
        for frame, time_s in zip(frames_u8, outcome.times_s, strict=True):
            writer.write(frame, time_s)
    return path


def _file_name(layer: str) -> str:
    return "".join(c if c.isalnum() or c in "._" else "-" for c in layer)
