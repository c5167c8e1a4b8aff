"""From every method's frames to what the page shows of them: the comparison, its curves and the table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from mgld.flow import FlowNetwork, load_flow
from mgld.metrics.fidelity import psnr, ssim
from mgld.metrics.temporal import (
    Backward,
    at_half_size,
    border_ratio,
    mean_residual,
    motion_of,
    residuals,
    sharpness,
    warping_error,
)
from mgld.plots import heat
from mgld.ui import words
from mgld.ui.compare import Heat, stack_layers

BRIGHTEST_PERCENTILE = 99.5  # of the residuals of the worst layer: a single pixel does not dim all others
HIGHER_IS_BETTER = "↑"  # in a figure's name; all others are better lower


@dataclass(frozen=True)
class Table:
    """Clip figures {layer: {figure: value}}, the curves {figure: {label: values}} behind them, and Markdown."""

    rows: dict[str, dict[str, float | None]]
    curves: dict[str, dict[str, list[float | None]]]
    markdown: str
    borders: tuple[int, ...] = ()


def comparison(
    path: Path,
    layers: dict[str, np.ndarray],
    fps: float,
    borders: tuple[int, ...],
    guided_by: str,
    unseen: dict[str, np.ndarray] | None = None,
):
    """Write the stage's video to path; return (what the stage shows, the table); layers are u8 [T,H,W,3] by name.

    Motion is measured on the ground truth, else on the input, which may be among the layers or unseen.
    """
    judge = "spynet" if guided_by == "dis" else "dis"
    known = layers | (unseen or {})
    reference = words.TRUTH_KEY if words.TRUTH_KEY in known else "bicubic"
    motion = motion_of(known[reference], measuring_flow(judge))
    flicker = {name: flicker_of(frames, motion) for name, frames in layers.items()}
    errors = {name: errors for name, (errors, _) in flicker.items()}
    edges = {name: sharpness(frames) for name, frames in layers.items()}
    curves = {
        words.WARPING_ERROR: {words.LAYERS[n]: [None, *map(_known, values)] for n, values in errors.items()},
        words.SHARPNESS: {words.LAYERS[n]: values for n, values in edges.items()},
    }
    rows = {name: _clip_figures(layers, name, errors[name], edges[name], borders) for name in layers}
    drawn = [{"name": name, "values": list(lines.values())} for name, lines in curves.items()]
    named = {words.LAYERS[n]: frames for n, frames in layers.items()}
    stage = stack_layers(path, named, fps, borders, drawn, heat_of({n: maps for n, (_, maps) in flicker.items()}))
    order = list(layers)
    if {"per_frame", "mgld"} <= layers.keys():
        stage.pair = (order.index("per_frame"), order.index("mgld"))
    markdown = _markdown(rows, words.TABLE_NOTE.format(flow=judge, clip=words.LAYERS[reference]))
    return stage, Table(rows, curves, markdown, tuple(borders))


def flicker_of(clip_u8: np.ndarray, motion: Backward) -> tuple[list[float], np.ndarray]:
    """Return (WE of each pair, NaN where nothing is visible; the residuals behind it f16 [T,H/2,W/2], frame 0 all NaN)."""
    height, width = (side // 2 for side in clip_u8.shape[1:3])
    errors, maps = [], np.full((len(clip_u8), height, width), np.nan, np.float16)
    for i, residual in enumerate(residuals(clip_u8, motion)):
        errors.append(mean_residual(residual))
        maps[i + 1] = _halved(residual)
    return errors, maps


def heat_of(maps: dict[str, np.ndarray]) -> Heat:
    """Colour the residuals of all layers on one scale, so that their brightness can be compared."""
    worst = max((_percentile(m) for m in maps.values()), default=0.0)
    top = float(max(np.ceil(worst), 1.0))
    return Heat({words.LAYERS[name]: heat(m.astype(np.float32), top) for name, m in maps.items()}, top)


def _percentile(residual: np.ndarray) -> float:
    known = residual[np.isfinite(residual)]
    return float(np.percentile(known.astype(np.float32), BRIGHTEST_PERCENTILE)) if known.size else 0.0


def _halved(residual: np.ndarray) -> np.ndarray:
    """Average the pixels that can be judged, two by two; NaN where there is none."""
    height, width = (side // 2 for side in residual.shape)
    blocks = residual[: 2 * height, : 2 * width].reshape(height, 2, width, 2)
    known = np.isfinite(blocks)
    total, count = np.where(known, blocks, 0).sum((1, 3)), known.sum((1, 3))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _clip_figures(layers, name: str, errors: list[float], edges: list[float], borders) -> dict[str, float | None]:
    """Return one layer's row of the table; the columns are the same for all layers of a clip."""
    row = {words.WARPING_ERROR: warping_error(errors), words.SHARPNESS: float(np.mean(edges))}
    if borders:
        row[words.BORDER_RATIO] = border_ratio(errors, borders)
    if "truth" in layers:
        with_truth = None if name == "truth" else layers["truth"]
        row[words.PSNR] = None if with_truth is None else psnr(layers[name], with_truth)
        row[words.SSIM] = None if with_truth is None else ssim(layers[name], with_truth)
    return row


@cache
def measuring_flow(name: str) -> FlowNetwork:
    """Open the network that judges, on the CPU beside the device job and at half the size: whole frames cost seconds a pair."""
    return at_half_size(load_flow(name, "cpu"))


def _known(error: float) -> float | None:
    return error if np.isfinite(error) else None


def _markdown(rows: dict[str, dict[str, float | None]], note: str) -> str:
    names = list(next(iter(rows.values())))
    best = {name: _best(rows, name) for name in names}
    lines = ["| | " + " | ".join(names) + " |", "|---" + "|---:" * len(names) + "|"]
    for layer, row in rows.items():
        cells = [words.best(words.figure(row[n])) if best[n] == layer else words.figure(row[n]) for n in names]
        lines.append("| " + " | ".join([words.LAYERS[layer], *cells]) + " |")
    return words.TABLE + "\n".join(lines) + note


def _best(rows: dict[str, dict[str, float | None]], figure: str) -> str | None:
    """Return the result that is best by the arrow in the figure's name; the input and the ground truth do not compete."""
    known = {n: row[figure] for n, row in rows.items() if n not in ("bicubic", "truth") and row[figure] is not None}
    if len(known) < 2:
        return None
    return max(known, key=known.get) if figure.endswith(HIGHER_IS_BETTER) else min(known, key=known.get)
