"""Figures; drawn without pyplot, which is not safe between threads."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # told apart by every eye


def training_curves(log: Path, picture: Path) -> None:
    """Draw every figure of a training log over its steps, one panel each, as PNG."""
    with log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [n for n in (rows[0] if rows else ()) if n not in ("step", "seconds")]
    figure = Figure(figsize=(4 * max(len(names), 1), 3), layout="constrained")
    for panel, name in zip(figure.subplots(1, max(len(names), 1), squeeze=False)[0], names, strict=False):
        points = [(int(r["step"]), float(r[name])) for r in rows if r[name]]
        panel.plot(*zip(*points, strict=True), linewidth=0.8)
        panel.set(title=name, xlabel="step")
        panel.grid(alpha=0.3)
    figure.savefig(picture, dpi=100)


def temporal_profile(layers: dict[str, np.ndarray], row: int, fps: float) -> bytes:
    """Draw the x-t slice at pixel row `row` of every layer u8 [T,H,W,3] under one another (the paper's Figure 5); PNG."""
    figure = Figure(figsize=(9, 1.5 * len(layers) + 0.5), layout="constrained")
    panels = figure.subplots(len(layers), 1, sharex=True, squeeze=False)[:, 0]
    for panel, (label, frames) in zip(panels, layers.items(), strict=True):
        duration_s = len(frames) / fps
        panel.imshow(
            frames[:, row], aspect="auto", interpolation="nearest", extent=(0, frames.shape[2], duration_s, 0)
        )
        panel.set_ylabel("t (s)")
        panel.set_title(label, fontsize=9, loc="left")
    panels[-1].set_xlabel(f"x (pixels), at y = {row}")
    return _png(figure)


def frame_curves(curves: dict[str, dict[str, list[float | None]]]) -> bytes:
    """Draw one panel per figure, one line per layer, over frames; None leaves a gap; PNG."""
    figure = Figure(figsize=(9, 2.4 * len(curves)), layout="constrained")
    for panel, (name, lines) in zip(figure.subplots(len(curves), 1, squeeze=False)[:, 0], curves.items(), strict=True):
        for (label, values), colour in zip(lines.items(), OKABE_ITO, strict=False):
            panel.plot([float("nan") if v is None else v for v in values], label=label, color=colour, linewidth=1.4)
        panel.set(title=name, xlabel="frame")
        panel.grid(alpha=0.3)
    panel.legend(fontsize=8)
    return _png(figure)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
