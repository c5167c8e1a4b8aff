"""The dial: what steps, samplers, a lower start and DeepCache cost in time, and how far they take the result from many steps'."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from statistics import fmean

import numpy as np

from mgld.constants import DIAL_LOWER, DIAL_REUSE, DIAL_STEPS, PAGE_PRESETS
from mgld.events import FramesDone
from mgld.metrics.catalogue import METRICS
from mgld.pipeline import MGLDPipeline
from mgld.settings import SAMPLERS, Settings
from mgld.video import Frame

TIMING = 0.1  # seconds of one run are good to about this share
MEAN = "mean"  # over clips, as the clip of a point
Measure = Callable[[np.ndarray], tuple[float, float, float | None]]  # u8 [T,H,W,3] -> figures of a Point


@dataclass(frozen=True)
class Point:
    """One way to sample: its line in the plot, seconds a frame, and figures; LPIPS to the truth if there is one."""

    line: str
    steps: int
    seconds: float
    lpips: float  # to the result of the most steps
    we: float
    lpips_truth: float | None = None
    clip: str = ""  # its name; MEAN for the mean over clips


def recipes_of(base: Settings, step_counts: Sequence[int] = DIAL_STEPS) -> dict[tuple[str, int], Settings]:
    """Return the settings of every point by its line and steps; the first one is what the others are held against."""
    most = max(step_counts)
    found = {("ddpm", most): replace(base, sampler="ddpm", steps=most)}
    for sampler in SAMPLERS:
        found |= {(sampler, n): replace(base, sampler=sampler, steps=n) for n in step_counts}
    for first, counts in DIAL_LOWER:
        own = [n for n in counts if n <= most]
        found |= {(f"ddpm from t = {first}", n): replace(base, steps=n, first_timestep=first) for n in own}
    for every, counts in DIAL_REUSE:
        own = [n for n in counts if n <= most]
        found |= {(f"ddpm, DeepCache N = {every}", n): replace(base, steps=n, deepcache=every) for n in own}
    return {key: wanted.checked() for key, wanted in found.items()}


def points_of(
    pipeline: MGLDPipeline,
    clip_u8: np.ndarray,
    recipes: dict[tuple[str, int], Settings],
    measure: Callable[[np.ndarray], Measure],
    clip: str = "",
) -> Iterator[Point]:
    """Yield each recipe's point on a clip u8 [T,h,w,3]; measure(reference u8 [T,4h,4w,3]) returns what the others are measured by.

    Seconds are the processor's where it computes (other work on the machine does not count), else the clock's.
    """
    clock = time.process_time if pipeline.device.type == "cpu" else time.perf_counter
    measured = None
    first = replace(next(iter(recipes.values())), steps=1)
    upscaled(pipeline, clip_u8, first)  # slower than all others
    for (line, steps), wanted in recipes.items():
        started = clock()
        large_u8 = upscaled(pipeline, clip_u8, wanted)
        seconds = clock() - started
        measured = measured or measure(large_u8)
        yield Point(line, steps, seconds / len(clip_u8), *measured(large_u8), clip)


def upscaled(pipeline: MGLDPipeline, clip_u8: np.ndarray, wanted: Settings) -> np.ndarray:
    """Return u8 [T,4h,4w,3] of a clip u8 [T,h,w,3]."""
    frames = [Frame(rgb, float(i)) for i, rgb in enumerate(clip_u8)]
    events = pipeline.run(frames, wanted, len(frames))
    return np.concatenate([e.frames_u8 for e in events if isinstance(e, FramesDone)])


def front(points: Sequence[Point], figure: str) -> list[Point]:
    """Return, by rising seconds, the points that no other beats or equals in both seconds and a figure (the Pareto front)."""
    best: list[Point] = []
    for point in sorted(points, key=lambda p: (p.seconds, getattr(p, figure))):
        if not best or getattr(point, figure) < getattr(best[-1], figure):
            best.append(point)
    return best


def means_of(points: Sequence[Point]) -> list[Point]:
    """Return the mean over all clips of every point that each of them has."""
    clips = {p.clip for p in points}
    ways: dict[tuple[str, int], list[Point]] = {}
    for p in points:
        ways.setdefault((p.line, p.steps), []).append(p)
    return [_mean(own) for own in ways.values() if len(own) == len(clips)]


def _mean(points: Sequence[Point]) -> Point:
    def over(name: str) -> float:
        return fmean(getattr(p, name) for p in points)

    truth = over("lpips_truth") if "lpips_truth" in figures_of(points) else None
    return Point(points[0].line, points[0].steps, over("seconds"), over("lpips"), over("we"), truth, MEAN)


def write_csv(path: Path, points: Sequence[Point]) -> None:
    """Write a line per point of each clip, then the means and on which fronts they lie."""
    means = means_of(points)
    figures = figures_of(means)
    names = [f.name for f in fields(Point)]
    fronts = {figure: front(means, figure) for figure in figures}
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow([*names, *(f"front_{figure}" for figure in figures)])
        for p in (*points, *means):
            values = [getattr(p, name) for name in names]
            told = [round(v, 5) if isinstance(v, float) else "" if v is None else v for v in values]
            rows.writerow([*told, *(int(p in fronts[figure]) if p.clip == MEAN else "" for figure in figures)])


def read_csv(path: Path, without: Collection[str] = ()) -> list[Point]:
    """Return the points that were written, but for the means and those of some clips."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["clip"] not in (MEAN, *without)]
    return [
        Point(
            row["line"], int(row["steps"]), float(row["seconds"]), float(row["lpips"]), float(row["we"]),
            float(row["lpips_truth"]) if row["lpips_truth"] else None, row["clip"],
        )
        for row in rows
    ]  # fmt: skip


def presets_told(points: Sequence[Point]) -> str:
    """Return, a line each, how far the page's presets lie above the fronts of the means: the best at no more seconds."""
    found = {(p.line, p.steps): p for p in means_of(points)}
    lines = []
    for preset, chosen in PAGE_PRESETS.items():
        own = found.get((Settings().sampler, chosen["steps"]))
        if own is not None:
            above = [f"{HEADINGS[name]} {_above(own, found.values(), name):.4f}" for name in figures_of([own])]
            lines.append(f"{preset} ({own.line}, {own.steps} steps) above the front: {', '.join(above)}")
    return "\n".join(lines)


def _above(own: Point, points: Collection[Point], figure: str) -> float:
    """Return how much better a figure can be had in the time of a point, and TIMING of it more: what seconds are good to."""
    return getattr(own, figure) - min(getattr(p, figure) for p in points if p.seconds <= own.seconds * (1 + TIMING))


def figures_of(points: Sequence[Point]) -> tuple[str, ...]:
    """Return the figures that every point has: LPIPS to the truth needs one."""
    return tuple(name for name in ("lpips", "we", "lpips_truth") if all(getattr(p, name) is not None for p in points))


def as_markdown(points: Sequence[Point]) -> str:
    """Return the points as a table; ● stands behind a figure on whose front against the seconds a point lies."""
    figures = figures_of(points)
    fronts = {figure: front(points, figure) for figure in figures}
    lines = [["way", "steps", "s/frame", *(HEADINGS[figure] for figure in figures)], ["---"] * (3 + len(figures))]
    for p in points:
        told = [f"{getattr(p, figure):.4f}{' ●' if p in fronts[figure] else ''}" for figure in figures]
        lines.append([p.line, str(p.steps), f"{p.seconds:.3f}", *told])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


HEADINGS = {"lpips": "LPIPS to most steps", "we": METRICS["we"].heading, "lpips_truth": "LPIPS to the truth"}
