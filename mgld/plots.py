"""Figures; drawn without pyplot, which is not safe between threads."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # told apart by every eye
DASHES = ("-", (0, (7, 2)), (0, (2, 1.5)), (0, (7, 2, 2, 2)), (0, (4, 1)), (0, (1, 1)))  # and without colour
MARK = "#ffb000"
HEAT, HIDDEN = "inferno", "#5a6270"  # of one rising lightness, so that it is read without colour; grey is not in it


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


def temporal_profile(layers: dict[str, np.ndarray], row: int, fps: float, borders: Sequence[int] = ()) -> bytes:
    """Draw the x-t slice at pixel row `row` of every layer u8 [T,H,W,3] under one another (the paper's Figure 5); PNG.

    One pixel of x is as wide everywhere; borders are the frames that start a segment.
    """
    figure = Figure(figsize=(9, 1.7 * len(layers) + 0.6), layout="constrained")
    panels = figure.subplots(len(layers), 1, sharex=True, squeeze=False)[:, 0]
    for panel, (label, frames) in zip(panels, layers.items(), strict=True):
        extent = (0, frames.shape[2], len(frames) / fps, 0)
        panel.imshow(frames[:, row], aspect="auto", interpolation="nearest", extent=extent)
        for border in borders:
            panel.axhline(border / fps, color=MARK, linewidth=0.9, linestyle=(0, (6, 4)))
        panel.set_ylabel("time (s)")
        panel.set_title(label, fontsize=9, loc="left")
    place = f"x (pixels), at y = {row}" + ("; dashed: segment borders" if borders else "")
    panels[-1].set_xlabel(place)
    return _png(figure)


def frame_curves(curves: dict[str, dict[str, list[float | None]]], borders: Sequence[int] = ()) -> bytes:
    """Draw one panel per figure over the same frames, one line per layer, with one legend; None leaves a gap; PNG."""
    figure = Figure(figsize=(9, 2.4 * len(curves) + 0.4), layout="constrained")
    panels = figure.subplots(len(curves), 1, sharex=True, squeeze=False)[:, 0]
    for panel, (name, lines) in zip(panels, curves.items(), strict=True):
        for i, (label, values) in enumerate(lines.items()):
            known = [float("nan") if v is None else v for v in values]
            style = {"color": OKABE_ITO[i % len(OKABE_ITO)], "linestyle": DASHES[i % len(DASHES)], "linewidth": 1.5}
            panel.plot(range(1, len(known) + 1), known, label=label, **style)
        for border in borders:
            panel.axvline(border + 0.5, color="0.5", linewidth=0.8, linestyle=(0, (2, 3)))
        panel.set_title(name, fontsize=9, loc="left")
        panel.grid(alpha=0.3)
    panels[-1].set_xlabel("frame" + ("; dotted: segment borders" if borders else ""))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    return _png(figure)


def heat(residual: np.ndarray, top: float) -> np.ndarray:
    """Colour a map f [...,H,W] of 0…top as u8 [...,H,W,3]: dark is 0, bright is top or more, NaN is HIDDEN."""
    colours = colormaps[HEAT].with_extremes(bad=HIDDEN)(np.ma.masked_invalid(residual / top), bytes=True)
    return colours[..., :3]


def heat_scale(stops: int = 16) -> list[str]:
    """Return the colours of heat(), from 0 to the top, as #rrggbb."""
    return [to_hex(colour) for colour in colormaps[HEAT](np.linspace(0, 1, stops))]


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
