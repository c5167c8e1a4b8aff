"""`dial IN … OUT`: seconds against quality over steps, samplers, a lower start and DeepCache: a table, a plot and their numbers."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mgld import constants, errors, settings
from mgld.commands.console import say, say_notes
from mgld.commands.options import (
    add_device,
    add_model,
    add_settings,
    check_frames,
    check_model,
    notes_of_compat,
    open_pipeline,
    settings_of,
)
from mgld.commands.report import check_place

if TYPE_CHECKING:
    import numpy as np

    from mgld.comparison.dial import Measure, Point


def add_to(commands: argparse._SubParsersAction) -> None:
    """Register the command."""
    command = commands.add_parser("dial", help="measure what steps, samplers, start and DeepCache cost and bring")
    command.add_argument("inputs", metavar="IN", type=Path, nargs="+", help="short clips")
    command.add_argument("output", metavar="OUT.csv", type=Path, help="the numbers; the plot is OUT.png beside it")
    command.add_argument(
        "--gt", type=Path, metavar="DIR", help="where ground truths of these names lie, four times as large"
    )
    command.add_argument("--add", action="store_true", help="keep what OUT.csv says of other clips")
    command.add_argument("--frames", type=int, default=5, help="stop after this many frames (default %(default)s)")
    command.add_argument("--step-counts", nargs="+", type=int, default=constants.DIAL_STEPS, metavar="N")
    command.add_argument("--metric-flow", choices=settings.FLOWS, default="raft", help="flow network of WE")
    add_model(command)
    add_settings(command, without=("steps", "sampler", "first_timestep", "deepcache"))
    add_device(command)
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> None:
    """Measure every point; write the numbers and the plot, print the table."""
    wanted = settings_of(chosen)
    say_notes(notes_of_compat(chosen, [wanted.method]))
    check_frames(chosen.frames)
    check_place(chosen.output)
    check_model(chosen)
    if chosen.output.suffix != ".csv":
        raise errors.bad_setting("OUT", chosen.output, "a file that ends in .csv")
    from mgld.comparison import dial

    recipes = dial.recipes_of(wanted, chosen.step_counts)
    clips = {path.name: _clip(path, chosen) for path in chosen.inputs}
    points = dial.read_csv(chosen.output, clips) if chosen.add and chosen.output.exists() else []
    pipeline = open_pipeline(chosen)
    for name, (clip_u8, truth) in clips.items():
        for point in dial.points_of(pipeline, clip_u8, recipes, _measures(chosen.metric_flow, truth), name):
            spent = f"{point.seconds:.3f} s a frame, LPIPS {point.lpips:.4f}, WE {point.we:.2f}"
            say(f"{name}: {point.line}, {point.steps} steps: {spent}")
            points.append(point)
            dial.write_csv(chosen.output, points)
    _tell(chosen.output, points)


def _clip(path: Path, chosen: argparse.Namespace) -> tuple[np.ndarray, np.ndarray | None]:
    """Return a clip u8 [T,h,w,3] and its ground truth u8 [T,4h,4w,3], if there is one."""
    from mgld.metrics import clips

    clip_u8 = clips.read_clip(path, chosen.frames)
    if chosen.gt is None:
        return clip_u8, None
    notes: list[str] = []
    truth = clips.read_large(chosen.gt / path.name, path.name, "ground truth", clip_u8, chosen.frames, notes)
    say_notes(notes, of=f"{path.name}: ")
    return clip_u8, truth


def _tell(output: Path, points: list[Point]) -> None:
    """Draw the means beside the numbers; print them, and where the page's presets lie."""
    from mgld import plots
    from mgld.comparison import dial

    means = dial.means_of(points)
    fronts = {name: dial.front(means, name) for name in dial.figures_of(means)}
    output.with_suffix(".png").write_bytes(plots.dial(means, fronts, dial.HEADINGS))
    print(f"{dial.as_markdown(means)}\n\n{dial.presets_told(points)}")


def _measures(flow: str, truth: np.ndarray | None) -> Callable[[np.ndarray], Measure]:
    """Return what makes the measure of points from the result of the most steps: its motion is followed, it is LPIPS' reference."""
    import numpy as np

    from mgld.flow import load_flow
    from mgld.metrics import perceptual, temporal
    from mgld.metrics.catalogue import METRICS

    network, net = load_flow(flow, "cpu"), METRICS["lpips"].load("cpu")

    def against(reference: np.ndarray) -> Measure:
        motion = temporal.motion_of(reference, network)

        def measured(large_u8: np.ndarray) -> tuple[float, float, float | None]:
            we = float(np.nanmean(temporal.warping_errors(large_u8, motion)))
            to_truth = None if truth is None else perceptual.lpips(large_u8, truth, net)
            return perceptual.lpips(large_u8, reference, net), we, to_truth

        return measured

    return against
