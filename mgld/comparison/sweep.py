"""The sweep: the same clip and noise at several guidance strengths, to see what strength buys and what it costs."""

from __future__ import annotations

import re
from dataclasses import fields, replace

import cv2
import numpy as np

from mgld import constants, errors, plots
from mgld.comparison.figures import Figures, measure, told_of
from mgld.comparison.job import ComparisonJob
from mgld.comparison.layers import INPUT, label_of
from mgld.comparison.request import Request
from mgld.metrics import table
from mgld.metrics.catalogue import METRICS
from mgld.settings import Settings

SHOWN = ("we", "sharpness")  # what strength buys, and what it costs
STRENGTHS = "Guidance strengths"
LAYER = "Strength {:g}"
ALLOWED = "{fewest} to {most} different numbers from {low:g} to {high:g}, as in “0, 0.5, 1”"


def strengths_of(text: str) -> tuple[float, ...]:
    """Read "0, 0.5, 1"; raise UserError unless it is a few different strengths in range."""
    low, high = next(f.metadata["range"] for f in fields(Settings) if f.name == "guidance")
    fewest, most = constants.SWEEP_COUNT
    parts = [p for p in re.split(r"[,;\s]+", text.strip()) if p]
    good = all(re.fullmatch(r"\d+(\.\d+)?", p) and low <= float(p) <= high for p in parts)
    found = tuple(sorted({float(p) for p in parts})) if good else ()
    if not fewest <= len(found) <= most:
        allowed = ALLOWED.format(fewest=fewest, most=most, low=low, high=high)
        raise errors.bad_setting(STRENGTHS, text, allowed)
    return found


def runs_of(request: Request, strengths: tuple[float, ...]) -> dict[str, Settings]:
    """Return MGLD's settings at every strength, by layer."""
    return {LAYER.format(s): replace(request.knobs, method="mgld", guidance=s) for s in strengths}


def measure_sweep(job: ComparisonJob) -> Figures:
    """Measure a finished sweep's layers; motion is measured on what lies beside them."""
    borders, guided_by = job.borders_of(len(job.bicubic)), job.request.knobs.flow
    return measure(layers_of(job), borders, guided_by, unseen=job.material.given)


def layers_of(job: ComparisonJob) -> dict[str, np.ndarray]:
    """Return the input and the result of every strength, u8 [T,H,W,3]."""
    return {INPUT: job.bicubic} | {name: job.finished[name].frames_u8 for name in job.runs}


def picture(job: ComparisonJob, strengths: tuple[float, ...], figures: Figures) -> np.ndarray:
    """Draw u8 [H,W,3]: the curves over strength, and each strength's temporal profile."""
    lines = {METRICS[key].heading: [figures.rows[name][key] for name in job.runs] for key in SHOWN}
    inputs = {METRICS[key].heading: figures.rows[INPUT][key] for key in SHOWN}
    large = [job.finished[name].frames_u8 for name in job.runs]
    row, chosen = job.bicubic.shape[1] // 2, job.request.knobs.guidance
    png = plots.sweep_multiples(list(strengths), large, lines, inputs, row, chosen)
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def as_markdown(strengths: tuple[float, ...], figures: Figures) -> str:
    """Return the sweep as a table, which is also its text alternative."""
    rows = {name: {key: row[key] for key in SHOWN} for name, row in figures.rows.items()}
    labels = {INPUT: label_of(INPUT)} | {LAYER.format(strength): f"{strength:g}" for strength in strengths}
    return told_of(table.markdown(rows, labels, "guidance strength", rivals=(INPUT,)))
