"""Figures; drawn without pyplot, which is not safe between threads."""

from __future__ import annotations

import csv
from pathlib import Path

from matplotlib.figure import Figure


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
