"""`dial IN OUT`: seconds against quality over steps, samplers, a lower start and DeepCache: a table, a plot and their numbers."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mgld import errors, settings
from mgld.commands.console import say
from mgld.commands.options import (
    add_device,
    add_model,
    add_settings,
    check_frames,
    check_model,
    open_pipeline,
    settings_of,
)
from mgld.commands.report import check_place

if TYPE_CHECKING:
    import numpy as np

    from mgld.comparison.dial import Measure


def add_to(commands: argparse._SubParsersAction) -> None:
    """Register the command."""
    command = commands.add_parser("dial", help="measure what steps, samplers, start and DeepCache cost and bring")
    command.add_argument("input", metavar="IN", type=Path, help="a short clip")
    command.add_argument("output", metavar="OUT.csv", type=Path, help="the numbers; the plot is OUT.png beside it")
    command.add_argument("--gt", type=Path, metavar="CLIP", help="the ground truth, four times as large")
    command.add_argument("--frames", type=int, default=5, help="stop after this many frames (default %(default)s)")
    command.add_argument("--step-counts", nargs="+", type=int, default=settings.DIAL_STEPS, metavar="N")
    command.add_argument("--metric-flow", choices=settings.FLOWS, default="raft", help="flow network of WE")
    add_model(command)
    add_settings(command, without=("steps", "sampler", "first_timestep", "deepcache"))
    add_device(command)
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> None:
    """Measure every point; write the numbers and the plot, print the table."""
    wanted = settings_of(chosen)
    check_frames(chosen.frames)
    check_place(chosen.output)
    check_model(chosen)
    if chosen.output.suffix != ".csv":
        raise errors.bad_setting("OUT", chosen.output, "a file that ends in .csv")
    from mgld import plots
    from mgld.comparison import dial
    from mgld.metrics import clips

    recipes = dial.recipes_of(wanted, chosen.step_counts)
    clip_u8 = clips.read_clip(chosen.input, chosen.frames)
    truth = (
        None
        if chosen.gt is None
        else clips.read_large(chosen.gt, chosen.input.name, "ground truth", clip_u8, chosen.frames)
    )
    measure = _measures(chosen.metric_flow, truth)
    points = []
    for point in dial.points_of(open_pipeline(chosen), clip_u8, recipes, measure):
        say(
            f"{point.line}, {point.steps} steps: {point.seconds:.3f} s a frame, LPIPS {point.lpips:.4f}, WE {point.we:.2f}"
        )
        points.append(point)
        dial.write_csv(chosen.output, points)
    fronts = {name: dial.front(points, name) for name in dial.figures_of(points)}
    chosen.output.with_suffix(".png").write_bytes(plots.dial(points, fronts, dial.HEADINGS))
    print(dial.as_markdown(points))


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
