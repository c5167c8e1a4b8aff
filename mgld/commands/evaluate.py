"""`evaluate --lq DIR`: every method and every given result measured on a folder of clips, the paper's Tables 1–2."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mgld import settings
from mgld.commands import refusals
from mgld.commands.console import say, say_notes
from mgld.commands.options import (
    add_device,
    add_methods,
    add_model,
    add_settings,
    check_frames,
    notes_of_compat,
    open_pipeline,
    ours_among,
    peers_among,
    settings_of,
)
from mgld.commands.report import check_place, write_json
from mgld.events import FramesDone, Note, Sampled, counted
from mgld.methods import COMPARED, METHODS, follows_motion
from mgld.settings import Settings
from mgld.sharing import sampled_as

if TYPE_CHECKING:
    import numpy as np

    from mgld.metrics.suite import Suite
    from mgld.pipeline import MGLDPipeline

TRUTH = "ground truth"
MOTION = "Warping error: along the motion that {} measures."


def add_to(commands: argparse._SubParsersAction) -> None:
    """Register the command."""
    command = commands.add_parser("evaluate", help="measure methods and results on a folder of clips")
    add_clips(command)
    add_methods(command, tuple(METHODS), ("bicubic", *COMPARED), count="*")
    command.add_argument(
        "--results", nargs="+", default=(), metavar="NAME=DIR", help="clips that were upscaled elsewhere"
    )
    add_measuring(command)
    command.set_defaults(run=run)


def add_clips(command: argparse.ArgumentParser) -> None:
    """Add what ablate and sweep measure too: clips, and their ground truth."""
    command.add_argument("--lq", type=Path, required=True, metavar="DIR", help="low-quality clips, or one clip")
    command.add_argument("--gt", type=Path, metavar="DIR", help="their ground truth, by the same names, 4× as large")


def add_measuring(command: argparse.ArgumentParser) -> None:
    """Add what evaluate and ablate share: where to report, the judge of motion, and the engine's settings."""
    command.add_argument("--json", type=Path, required=True, metavar="OUT", help="write every number here")
    command.add_argument(
        "--metric-flow", choices=settings.FLOWS, help="flow network of WE (default raft; dis if results follow raft)"
    )
    command.add_argument("--frames", type=int, help="stop after this many frames of each clip")
    add_model(command)
    add_settings(command, without=("method",))
    add_device(command)


def run(chosen: argparse.Namespace) -> None:
    """Measure, then print a table per clip and the mean."""
    results, peers = _named_results(chosen.results), peers_among(chosen.methods)
    if not (results or chosen.methods):
        raise refusals.nothing_to_measure()
    say_notes(notes_of_compat(chosen, ours_among(chosen.methods)))
    if taken := [name for name in peers if name in (*results, *METHODS, TRUTH)]:
        raise refusals.results_unnamed(taken[0])
    report = evaluate(chosen, recipes_of(chosen, ours_among(chosen.methods)), results, peers)
    from mgld.metrics.catalogue import METRICS
    from mgld.metrics.table import markdown

    for name, clip in report["clips"].items():
        own = (
            f"; warping error of the ground truth itself {METRICS['we'].text(clip[TRUTH]['we'])}" if clip[TRUTH] else ""
        )
        print(
            f"\n{name}: {counted(clip['frames'], 'frame')} of {clip['width']}×{clip['height']}{own}\n\n{markdown(clip['methods'])}"
        )
    print(f"\nMean of {counted(len(report['clips']), 'clip')}\n\n{markdown(report['mean'])}")
    tell_measuring(report)


def tell_measuring(report: dict) -> None:
    """Say along whose motion steadiness was measured; and what was not measured, and how it could be."""
    print(f"\n{MOTION.format(settings.LABELS[report['metric_flow']])}")
    for name, why in report["missing"].items():
        say(f"note: no {name}: {why}")


def recipes_of(chosen: argparse.Namespace, methods: Iterable[str]) -> dict[str, Settings]:
    """Return each method's settings by its name: the chosen ones, but for the method."""
    return {method: settings_of(chosen, method) for method in methods}


def evaluate(
    chosen: argparse.Namespace,
    recipes: dict[str, Settings],
    results: dict[str, Path],
    peers: dict[str, Path] | None = None,
) -> dict:
    """Measure recipes (settings by name), results and peers clip by clip; write the report after each clip and return it."""
    judge = metric_flow(chosen.metric_flow, recipes.values())
    check_place(chosen.json)
    check_frames(chosen.frames)
    from mgld.metrics import clips, suite, table
    from mgld.presets import describe_model

    found = clips.clips_in(chosen.lq)
    paths = {  # every name is looked up before the first frame is computed
        name: {of: clips.match(name, folder, len(found) == 1) for of, folder in _folders(chosen.gt, results)}
        for name in found
    }
    pipeline = open_pipeline(chosen) if any(not METHODS[r.method].peer for r in recipes.values()) else None
    networks = _opened(peers or {}, chosen.device)
    measures = suite.Suite(judge, "cpu" if pipeline is None else str(pipeline.device))
    missing = ({} if chosen.gt else suite.without_truth()) | measures.missing
    report = {"metric_flow": judge, "missing": missing, "clips": {}, "mean": {}}
    report["settings"] = {name: asdict(recipe) for name, recipe in recipes.items()}
    if pipeline is not None:
        report["model"] = describe_model(chosen.model)
    for name, path in found.items():
        lq_u8 = clips.read_clip(path, chosen.frames)
        notes: list[str] = []
        large = {
            of: clips.read_large(p, name, of, lq_u8, chosen.frames, notes if of == TRUTH else None)
            for of, p in paths[name].items()
        }
        say_notes(notes, of=f"{name}: ")
        large |= {peer: enlarge(lq_u8) for peer, enlarge in networks.items()}
        report["clips"][name] = _clip(name, lq_u8, large, recipes, pipeline, measures)
        report["mean"] = table.mean_rows(clip["methods"] for clip in report["clips"].values())
        write_json(chosen.json, report)
    return report


def _opened(peers: dict[str, Path], device: str) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Return what enlarges u8 [T,h,w,3] four times, by each peer's name."""
    if not peers:
        return {}
    from mgld.device import device_of
    from mgld.peers import enlarge, load_peer

    return {name: partial(enlarge, load_peer(path, device_of(device))) for name, path in peers.items()}


def _clip(
    name: str,
    lq_u8: np.ndarray,
    given: dict[str, np.ndarray],
    recipes: dict[str, Settings],
    pipeline: MGLDPipeline | None,
    measures: Suite,
) -> dict:
    """Measure every recipe and given clip on one clip u8 [T,h,w,3]; given, u8 [T,4h,4w,3], may hold the ground truth."""
    from mgld.canvas import bicubic

    truth, blurred, latents, measured = given.pop(TRUTH, None), bicubic(lq_u8), {}, {}
    motion = None if truth is None else measures.motion_of(truth)
    truth_errors = None if truth is None else measures.errors_of(truth, motion)
    for recipe, wanted in recipes.items():
        say(f"{name}: {METHODS[recipe].label if recipe in METHODS else recipe}")
        started = time.monotonic()
        large_u8, borders = upscaled(pipeline, lq_u8, wanted, latents.setdefault(sampled_as(wanted), {}))
        seconds = round(time.monotonic() - started, 3)
        row = measures.measure(large_u8, truth, motion, borders, blurred, truth_errors)
        measured[recipe] = row | {"segment_borders": borders, "seconds": seconds}
    for result, large_u8 in given.items():
        say(f"{name}: {result}")
        measured[result] = measures.measure(large_u8, truth, motion, (), blurred, truth_errors)
    of_truth = None if truth is None else measures.measure(truth, None, motion, (), truth)
    frames, height, width = blurred.shape[:3]
    return {"frames": frames, "width": width, "height": height, TRUTH: of_truth, "methods": measured}


def upscaled(
    pipeline: MGLDPipeline | None, lq_u8: np.ndarray, wanted: Settings, latents: dict[int, np.ndarray]
) -> tuple[np.ndarray, list[int]]:
    """Return u8 [T,4h,4w,3] of one recipe and the frames at which its segments begin.

    latents, by their segment's first frame, are taken from runs that sampled the same; what is sampled here is added.
    """
    import numpy as np

    from mgld.canvas import bicubic
    from mgld.video import Frame

    if wanted.method == "bicubic":
        return bicubic(lq_u8), []
    frames = (Frame(rgb, float(i)) for i, rgb in enumerate(lq_u8))
    events = list(pipeline.run(frames, wanted, len(lq_u8), known=latents))
    say_notes([e.text for e in events if isinstance(e, Note)])
    done = [e for e in events if isinstance(e, FramesDone)]
    latents |= {e.first_frame: e.z for e in events if isinstance(e, Sampled)}
    return np.concatenate([e.frames_u8 for e in done]), [e.first_frame for e in done if e.segment_border]


def metric_flow(wished: str | None, recipes: Iterable[Settings]) -> str:
    """Return the network that judges WE; it must not be one whose motion was followed."""
    followed = {r.flow for r in recipes if follows_motion(r)}
    if wished is None:
        return "dis" if "raft" in followed else "raft"
    if wished in followed:
        raise refusals.flow_judges_itself(wished)
    return wished


def _folders(truth: Path | None, results: dict[str, Path]) -> Iterator[tuple[str, Path]]:
    if truth is not None:
        yield TRUTH, truth
    yield from results.items()


def _named_results(texts: tuple[str, ...]) -> dict[str, Path]:
    """Read NAME=DIR; a name may be neither empty, nor a method's, nor given twice."""
    results: dict[str, Path] = {}
    for text in texts:
        name, equals, folder = text.partition("=")
        if not (name and equals and folder) or name in results or name in (*METHODS, TRUTH):
            raise refusals.results_unnamed(text)
        results[name] = Path(folder)
    return results
