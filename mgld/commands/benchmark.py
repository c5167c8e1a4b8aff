"""`benchmark`: seconds per frame, stage by stage, over methods, sizes, steps and clip lengths (the paper's Table 6)."""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mgld import errors
from mgld.commands.console import say, say_notes
from mgld.commands.options import (
    add_device,
    add_model,
    add_settings,
    notes_of_compat,
    open_pipeline,
    settings_of,
)
from mgld.commands.report import check_place, write_json
from mgld.constants import LIMITS, SCALE
from mgld.events import Result, counted
from mgld.methods import COMPARED, OURS
from mgld.settings import Settings

if TYPE_CHECKING:
    import numpy as np

    from mgld.pipeline import MGLDPipeline

TIME_LIMIT_S = 80.0  # a section is begun only if it should end before; loading libraries comes on top
STAGES = ("condition", "motion", "sample", "decode", "finish")
PAPER = "The paper's Table 6, 128→512 in 50 steps on an A100: StableSR 3.194, MGLD-VSR 1.113 s per frame."


@dataclass(frozen=True)
class Scale:
    """Which networks, on how many frames of which side in pixels, in how many steps; no steps: the denoiser alone, once."""

    model: str
    frames: int
    side_px: int
    steps: tuple[int, ...]
    flow: str
    needs_gpu: bool = False


SCALES = {
    "tiny": Scale("tiny", 5, 64, (2,), "dis"),
    "step": Scale("sd21", 1, 128, (), "dis"),  # what a CPU can do of sd21 in a minute
    "paper": Scale("sd21", 5, 128, (15, 50, 4), "raft", needs_gpu=True),
}


def add_to(commands: argparse._SubParsersAction) -> None:
    """Register the command."""
    command = commands.add_parser("benchmark", help="measure seconds per frame and how they grow (Table 6)")
    command.add_argument("--methods", nargs="+", choices=OURS, default=COMPARED, metavar="METHOD")
    command.add_argument("--sizes", nargs="+", type=int, default=(64, 128), metavar="PX", help="sides of the input")
    command.add_argument("--lengths", nargs="+", type=int, default=(5, 11), metavar="N", help="frames of the clip")
    command.add_argument("--step-counts", nargs="+", type=int, metavar="N", help="default: what --steps says")
    add_model(command)
    command.add_argument("--json", "--out", type=Path, metavar="REPORT", help="write every number here")
    command.add_argument(
        "--scale",
        choices=SCALES,
        help="the published schedule of work beside ours: tiny, one step of sd21, or the paper's",
    )
    command.add_argument("--time-limit", type=float, default=TIME_LIMIT_S, metavar="SECONDS", help="of --scale")
    add_settings(command, without=("method",))
    add_device(command)
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> None:
    """Measure every combination after a warm-up; print the table, seconds per frame."""
    check_place(chosen.json)
    if chosen.scale:
        from mgld.commands.scale_run import run_scale

        run_scale(chosen)
        return
    say_notes(notes_of_compat(chosen, chosen.methods))
    cases = list(cases_of(chosen))
    from mgld.presets import describe_model

    started = time.monotonic()
    pipeline = open_pipeline(chosen)
    report = {"load_s": round(time.monotonic() - started, 3), "model": describe_model(chosen.model), "cases": []}
    measure(pipeline, replace(cases[0][0], steps=1), *cases[0][1:])  # the first run is slower than all others
    for wanted, side_px, count in cases:
        say(f"{wanted.method}, {side_px}→{SCALE * side_px}, {counted(wanted.steps, 'step')}, {counted(count, 'frame')}")
        report["cases"].append(measure(pipeline, wanted, side_px, count))
        if chosen.json:
            write_json(chosen.json, report)
    case = report["cases"][0]
    print(
        f"{chosen.model} on {case['device']} in {case['dtype']}, loaded in {report['load_s']:.1f} s; seconds per frame\n"
    )
    print(table(report["cases"]))
    print(f"\n{PAPER}")


def cases_of(chosen: argparse.Namespace) -> Iterator[tuple[Settings, int, int]]:
    """Yield (settings, side in pixels, frames) of every combination, checked."""
    for side_px in chosen.sizes:
        if not LIMITS.smallest_side_px <= side_px <= LIMITS.largest_frame_px**0.5:
            raise errors.bad_setting("--sizes", side_px, f"at least {LIMITS.smallest_side_px} and within the limits")
    for count in chosen.lengths:
        if count < 1:
            raise errors.bad_setting("--lengths", count, "1 or more")
    counts = chosen.step_counts or (settings_of(chosen).steps,)
    for method, side_px, steps, count in itertools.product(chosen.methods, chosen.sizes, counts, chosen.lengths):
        yield replace(settings_of(chosen, method), steps=steps).checked(), side_px, count


def measure(pipeline: MGLDPipeline, wanted: Settings, side_px: int, count: int) -> dict:
    """Return sizes, seconds per stage and memory of one run on a clip that pans over noise."""
    from mgld.video import Frame

    clip = panned_noise(count, side_px)
    started = time.monotonic()
    events = pipeline.run((Frame(rgb, float(i)) for i, rgb in enumerate(clip)), wanted, count)
    told = next(event.report for event in events if isinstance(event, Result))
    told["seconds"]["all"] = round(time.monotonic() - started, 3)
    return {"side_px": side_px, **told}


def panned_noise(count: int, side_px: int) -> np.ndarray:
    """Return u8 [count,side,side,3]: a smooth texture that moves a pixel per frame."""
    import cv2
    import numpy as np

    noise = np.random.default_rng(0).integers(0, 256, (side_px, side_px + count, 3), np.uint8)
    wide = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)
    return np.stack([wide[:, i : i + side_px] for i in range(count)])


def table(cases: list[dict]) -> str:
    """Return Markdown: a row per case, seconds per frame of each stage and of all, frames per second, peak memory."""
    head = ["method", "input", "steps", "frames", *STAGES, "all", "frames/s", "peak MiB"]
    lines = [head, ["---"] * len(head)]
    for case in cases:
        frames, seconds = case["frames"], case["seconds"]
        each = [f"{seconds.get(stage, 0) / frames:.3f}" for stage in (*STAGES, "all")]
        size = f"{case['side_px']}×{case['side_px']}"
        lines.append(
            [case["settings"]["method"], size, str(case["settings"]["steps"]), str(frames), *each]
            + [f"{frames / seconds['all']:.2f}", f"{case['peak_memory_bytes'] / 2**20:.0f}"]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
