"""From every method's frames to what the page shows of them: the comparison, its curves and the table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from mgld.flow import FlowNetwork, load_flow
from mgld.metrics.temporal import at_half_size, motion_of, sharpness, warping_errors
from mgld.ui import words
from mgld.ui.compare import stack_layers


@dataclass(frozen=True)
class Table:
    """Means per layer {layer: {figure: value}}, the curves {figure: {label: values}} behind them, and both as Markdown."""

    rows: dict[str, dict[str, float | None]]
    curves: dict[str, dict[str, list[float | None]]]
    markdown: str


def comparison(path: Path, layers: dict[str, np.ndarray], fps: float, borders: tuple[int, ...], guided_by: str):
    """Write the stage's video to path; return (what the stage shows, the table); layers are u8 [T,H,W,3] by name."""
    judge = "spynet" if guided_by == "dis" else "dis"
    reference = "truth" if "truth" in layers else "bicubic"
    motion = motion_of(layers[reference], measuring_flow(judge))
    errors = {name: [_known(e) for e in warping_errors(frames, motion)] for name, frames in layers.items()}
    edges = {name: sharpness(frames) for name, frames in layers.items()}
    curves = {
        words.WARPING_ERROR: {words.LAYERS[n]: [None, *values] for n, values in errors.items()},
        words.SHARPNESS: {words.LAYERS[n]: values for n, values in edges.items()},
    }
    rows = {n: {words.WARPING_ERROR: _mean(errors[n]), words.SHARPNESS: _mean(edges[n])} for n in layers}
    drawn = [{"name": name, "values": list(lines.values())} for name, lines in curves.items()]
    stage = stack_layers(path, {words.LAYERS[n]: f for n, f in layers.items()}, fps, borders, drawn)
    return stage, Table(rows, curves, _markdown(rows, words.TABLE_NOTE.format(flow=judge, clip=words.LAYERS[reference])))


@cache
def measuring_flow(name: str) -> FlowNetwork:
    """Open the network that judges, on the CPU beside the device job and at half the size: whole frames cost seconds a pair."""
    return at_half_size(load_flow(name, "cpu"))


def _known(error: float) -> float | None:
    return error if np.isfinite(error) else None


def _mean(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None


def _markdown(rows: dict[str, dict[str, float | None]], note: str) -> str:
    names = list(next(iter(rows.values())))
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for layer, row in rows.items():
        lines.append("| " + " | ".join([words.LAYERS[layer], *(words.figure(row[n]) for n in names)]) + " |")
    return words.TABLE + "\n".join(lines) + note
