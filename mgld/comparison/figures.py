"""From every method's frames to what the page shows of them: the comparison, its curves and the table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from mgld.abreast import abreast
from mgld.comparison.grid import Heat, stack_layers
from mgld.comparison.layers import INPUT, TRUTH, label_of
from mgld.comparison.stage import Column, Curve, StageVideo
from mgld.device import best_dtype
from mgld.flow import FlowNetwork, load_flow
from mgld.metrics.catalogue import METRICS, Evidence
from mgld.metrics.table import columns, markdown, marked
from mgld.metrics.temporal import Backward, at_lq_size, in_precision, mean_residual, motion_of, residual_of
from mgld.plots import heat
from mgld.settings import LABELS

BRIGHTEST_PERCENTILE = 99.5  # of the residuals of the worst layer: a single pixel does not dim all others
COLUMNS = ("we", "we_excess", "sharpness", "we_border_ratio", "psnr", "ssim")  # of the table, where the clip has them
BLUR_NOTE = (
    "Flicker is measured as warping error: how far each frame is from its neighbour moved along the motion, 0–255. Blur lowers "
    "it too, so read it beside sharpness."
)
ONE_FRAME = "One frame cannot flicker: there is nothing to compare it with."
BEST_NOTE = "Bold: the best result, where it beats the input."
MOTION_NOTE = "Motion: measured once for all, on “{clip}”, by {flow}, not by the network that guided."


@dataclass(frozen=True)
class Figures:
    """What was measured of some layers, by layer and metric key: figures of the clip, and curves over its frames.

    reference is the layer on which `judge`, a flow network, measured the motion; residuals, f16 [T,H/2,W/2] in grey levels by
    layer, are what warping error is the mean of.
    """

    rows: dict[str, dict[str, float | None]]
    curves: dict[str, dict[str, list[float | None]]]
    borders: tuple[int, ...]
    reference: str
    judge: str
    residuals: dict[str, np.ndarray]


def measure(
    layers: dict[str, np.ndarray],
    borders: tuple[int, ...],
    guided_by: str,
    unseen: dict[str, np.ndarray] | None = None,
) -> Figures:
    """Measure layers u8 [T,H,W,3] by name, at whose `borders` segments begin; guided_by is the flow network that must not judge.

    Motion is measured on the ground truth, else on the input, which may be among the layers or unseen.
    """
    judge = "spynet" if guided_by == "dis" else "dis"
    known = layers | (unseen or {})
    reference = TRUTH if TRUTH in known else INPUT
    motion = motion_of(known[reference], measuring_flow(judge))
    flicker = {name: flicker_of(frames, motion) for name, frames in layers.items()}
    evidence = {
        name: Evidence(
            frames, flicker[name][0], _truth_of(name, layers), borders, truth_errors=flicker.get(TRUTH, [None])[0]
        )
        for name, frames in layers.items()
    }
    curves = {
        name: {"we": [None, *map(_known, seen.pair_errors)], "sharpness": list(seen.edges)}
        for name, seen in evidence.items()
    }
    maps = {name: residual for name, (_, residual) in flicker.items()}
    return Figures(_rows(evidence), curves, tuple(borders), reference, judge, maps)


def write_stage(path: Path, layers: dict[str, np.ndarray], fps: float, figures: Figures) -> StageVideo:
    """Write the stage's video of the layers that were measured to path; return what the stage shows."""
    frames = len(next(iter(layers.values())))
    keys = next(iter(figures.curves.values())) if frames > 1 else ()  # one frame has nothing that could flicker
    drawn = [Curve(key, METRICS[key].heading, [lines[key] for lines in figures.curves.values()]) for key in keys]
    maps, table = (heat_of(figures.residuals) if keys else None), table_of(figures)
    return stack_layers(path, layers, fps, figures.borders, drawn, maps, table=table)


def table_of(figures: Figures) -> list[Column]:
    """Return the columns of the stage's table, with the best of the results marked."""
    cells = list(marked(figures.rows, (TRUTH,), (INPUT,)).values())
    return [
        Column(metric.key, metric.heading, metric.decimals, [row[i][0] for row in cells], [row[i][1] for row in cells])
        for i, metric in enumerate(columns(figures.rows))
    ]


def notes_of(figures: Figures) -> list[str]:
    """Return what must be known to read the table, in sentences."""
    if len(next(iter(figures.curves.values()))["sharpness"]) == 1:
        return [ONE_FRAME, BEST_NOTE]
    return [
        BLUR_NOTE,
        f"{BEST_NOTE} {MOTION_NOTE.format(flow=LABELS[figures.judge], clip=label_of(figures.reference))}",
    ]


def told_of(table: str) -> str:
    """Return a Markdown table that marks the best results, with what must be known to read it."""
    return f"{table}\n\n{BLUR_NOTE} {BEST_NOTE}"


def as_markdown(figures: Figures) -> str:
    """Return the table of the layers by their names, the best result in bold, and how it was measured."""
    labels = {name: label_of(name) for name in figures.rows}
    return "\n\n".join([markdown(figures.rows, labels, "", (TRUTH,), (INPUT,)), " ".join(notes_of(figures))])


def titled(curves: dict[str, dict[str, list[float | None]]]) -> dict[str, dict[str, list[float | None]]]:
    """Return {layer: {metric key: values}} as it is drawn: {heading: {layer's name: values}}."""
    keys = next(iter(curves.values()))
    return {METRICS[key].heading: {label_of(name): lines[key] for name, lines in curves.items()} for key in keys}


def flicker_of(clip_u8: np.ndarray, motion: Backward) -> tuple[list[float], np.ndarray]:
    """Return (WE of each pair, NaN where nothing is visible; the residuals behind it f16 [T,H/2,W/2], frame 0 all NaN)."""
    height, width = (side // 2 for side in clip_u8.shape[1:3])
    maps = np.full((len(clip_u8), height, width), np.nan, np.float16)

    def judged(i: int) -> float:
        residual = residual_of(clip_u8, motion, i)
        maps[i + 1] = _halved(residual)
        return mean_residual(residual)

    return abreast(judged, [(i,) for i in range(len(motion.flow_px))]), maps


def heat_of(maps: dict[str, np.ndarray]) -> Heat:
    """Colour the residuals of all layers on one scale, so that their brightness can be compared."""
    worst = max((_percentile(m) for m in maps.values()), default=0.0)
    top = float(max(np.ceil(worst), 1.0))
    return Heat({name: heat(m.astype(np.float32), top) for name, m in maps.items()}, top)


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


def _truth_of(name: str, layers: dict[str, np.ndarray]) -> np.ndarray | None:
    return None if name == TRUTH else layers.get(TRUTH)


def _rows(evidence: dict[str, Evidence]) -> dict[str, dict[str, float | None]]:
    """Measure every layer; the columns are the same for all layers of a clip: those that one of them has the needs of."""
    given = frozenset().union(*(seen.given for seen in evidence.values()))
    keys = [key for key in COLUMNS if METRICS[key].needs <= given]
    return {name: {key: METRICS[key].of(seen) for key in keys} for name, seen in evidence.items()}


@cache
def measuring_flow(name: str) -> FlowNetwork:
    """Open the network that judges, on the CPU beside the device job and at the input's size: whole frames cost seconds a pair."""
    return at_lq_size(in_precision(load_flow(name, "cpu"), best_dtype("cpu")))


def _known(error: float) -> float | None:
    return error if np.isfinite(error) else None
