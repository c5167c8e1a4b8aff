"""The sweep: the same clip and noise at several guidance strengths, to see what strength buys and what it costs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, replace

import cv2
import gradio as gr
import numpy as np

from mgld import errors, plots, settings
from mgld.comparison.figures import comparison
from mgld.comparison.request import Request
from mgld.metrics import table
from mgld.metrics.catalogue import METRICS
from mgld.ui import job, words
from mgld.ui.progress import bar

Swept = tuple[str, object, object, str, object]  # progress, preview, figure, table, comparison
FIGURES = ("we", "sharpness")  # what strength buys, and what it costs


def strengths_of(text: str) -> tuple[float, ...]:
    """Read "0, 0.5, 1"; raise UserError unless it is a few different strengths in range."""
    low, high = next(f.metadata["range"] for f in fields(settings.Settings) if f.name == "guidance")
    fewest, most = settings.SWEEP_COUNT
    parts = [p for p in re.split(r"[,;\s]+", text.strip()) if p]
    good = all(re.fullmatch(r"\d+(\.\d+)?", p) and low <= float(p) <= high for p in parts)
    found = tuple(sorted({float(p) for p in parts})) if good else ()
    if not fewest <= len(found) <= most:
        allowed = words.SWEEP_ALLOWED.format(fewest=fewest, most=most, low=low, high=high)
        raise errors.bad_setting(words.SWEEP_STRENGTHS, text, allowed)
    return found


def sweep(machine: job.Machine, request: Request, strengths: tuple[float, ...], session: str | None) -> Iterator[Swept]:
    """Run MGLD at every strength and yield progress, then the small multiples; what was run before is taken from memory."""
    with job.told(), job.job_folder() as folder:
        yield bar(words.LOADING), None, None, "", gr.skip()
        runs = {words.SWEEP_LAYER.format(s): replace(request.knobs, method="mgld", guidance=s) for s in strengths}
        work = job.begin(machine, replace(request, methods=("mgld",)), runs)
        job.SESSIONS.put(session, work)
        try:
            for line, preview, *_ in job.produce(machine, work, None):
                yield line, preview, None, "", gr.skip()
            work.shown = True
        finally:
            work.stopped.set()
        yield bar(words.MEASURING, 1.0), None, None, "", gr.skip()
        large = {n: work.kept[n].frames_u8 for n in runs}
        unseen, guided_by = {"bicubic": work.bicubic, **work.material.given}, request.knobs.flow
        stage, measured = comparison(
            folder / "stage.mp4", large, work.material.fps, work.borders_of(), guided_by, unseen
        )
        rows = {name: {key: measured.rows[name][key] for key in FIGURES} for name in runs}
        lines = {METRICS[key].heading: [row[key] for row in rows.values()] for key in FIGURES}
        row = work.bicubic.shape[1] // 2
        png = plots.sweep_multiples(list(strengths), list(large.values()), lines, row)
        picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        yield bar(words.SWEEP_DONE), None, picture, markdown(strengths, rows), stage


def markdown(strengths: tuple[float, ...], rows: dict[str, dict[str, float | None]]) -> str:
    """Return the sweep, {layer: {metric key: value}} in the order of strengths, as a table: its text alternative too."""
    labels = {name: f"{strength:g}" for name, strength in zip(rows, strengths, strict=True)}
    return table.markdown(rows, labels, words.SWEEP_HEAD) + "\n\n" + words.BLUR_NOTE
