"""`compare IN OUT_DIR`: every method on one clip, side by side: videos, profile, curves and a report."""

from __future__ import annotations

import argparse
from pathlib import Path

from mgld import errors, host, settings
from mgld.commands.console import say, say_notes, say_progress
from mgld.commands.options import (
    add_device,
    add_methods,
    add_model,
    add_settings,
    check_range,
    notes_of_compat,
    peers_among,
    settings_of,
)
from mgld.folders import WorkFolder
from mgld.methods import OURS


def add_to(commands: argparse._SubParsersAction) -> None:
    """Register the command."""
    command = commands.add_parser("compare", help="run every method on a clip and write videos, plots and a report")
    command.add_argument("input", metavar="IN", type=Path, help="video file, GIF, folder or zip of frames")
    command.add_argument("output", metavar="OUT_DIR", type=Path, help="a new or empty folder")
    add_methods(command, OURS, OURS, count="+")
    command.add_argument("--gt", type=Path, metavar="CLIP", help="the ground truth, four times as large")
    command.add_argument(
        "--others", nargs="*", type=Path, default=(), metavar="CLIP", help="results made elsewhere, four times as large"
    )
    add_model(command)
    held = "stop after this many frames, since all results are held in memory (default %(default)s)"
    command.add_argument("--frames", type=int, default=host.PAGE_FRAMES, help=held)
    command.add_argument("--start", type=float, default=0.0, metavar="SECONDS", help="where in the clip to begin")
    command.add_argument("--crop", default="", metavar="L,T,R,B", help="the part of the frame to work on, in per cent")
    command.add_argument("--lossless", action="store_true", help="write the results as FFV1 too")
    add_settings(command, without=("method",))
    add_device(command)
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> None:
    """Compare as the page does; the folder appears whole or not at all."""
    wanted = settings_of(chosen)
    say_notes(notes_of_compat(chosen, [name for name in OURS if name in chosen.methods]))
    check_range(chosen)
    if chosen.output.exists() and (not chosen.output.is_dir() or any(chosen.output.iterdir())):
        raise errors.output_folder_used(chosen.output)
    if not chosen.output.absolute().parent.is_dir():
        raise errors.file_missing(chosen.output.absolute().parent)
    work = WorkFolder(".mgld-", ".part", chosen.output.absolute().parent)
    try:
        result = work.path / "result"
        result.mkdir()
        count = _compare(chosen, wanted, result)
        result.replace(chosen.output.absolute())
    finally:
        work.close()
    say(f"{count} files → {chosen.output}")


def _compare(chosen: argparse.Namespace, wanted: settings.Settings, folder: Path) -> int:
    """Fill folder with everything; return how many files that makes."""
    from mgld.comparison.figures import as_markdown, measure
    from mgld.comparison.job import begin
    from mgld.comparison.produce import Machine
    from mgld.comparison.report import outcome_of
    from mgld.comparison.takeaway import write_files, write_lossless
    from mgld.worker import run_all

    request = _request(chosen, wanted)
    job = begin(request, {method: settings_of(chosen, method) for method in request.methods})
    say_notes(job.material.notes)
    _produce(Machine(chosen.device, run_all, chosen.dtype), job)
    job.figures = measure(job.layers(), job.borders_of(len(job.bicubic)), wanted.flow)
    print(as_markdown(job.figures))
    outcome = outcome_of(job)
    files = write_files(folder, outcome)
    say_notes(files[0].notes)
    return len(files) + len(write_lossless(folder, outcome) if chosen.lossless else ())


def _request(chosen: argparse.Namespace, wanted: settings.Settings):
    """Return what is asked for; a clip may be longer here than on the page."""
    from mgld.comparison.asked import crop_of
    from mgld.comparison.request import Request

    methods = tuple(m for m in OURS if m in chosen.methods)
    others = (*chosen.others, *peers_among(chosen.methods).values())
    return Request(
        chosen.input, chosen.start, chosen.frames, methods, wanted, chosen.model, crop_of(chosen.crop), chosen.gt,
        others,
    )  # fmt: skip


def _produce(machine, job) -> None:
    """Run every method as the page does, and tell how far it is."""
    from mgld.comparison.produce import produce
    from mgld.comparison.store import Store
    from mgld.events import Note, Progress, Result, Resumed
    from mgld.kept import told
    from mgld.segment import NOTHING_WATCHED

    for layer, event in produce(machine, job, Store(), NOTHING_WATCHED):
        if isinstance(event, Progress):
            say_progress(event, f"{layer}: ")
        elif isinstance(event, Resumed):
            say(f"{layer}: {told(event)}")
        elif isinstance(event, Note):
            say_notes([f"{layer}: {event.text}"])
        elif isinstance(event, Result):
            say(f"{layer}: {sum(event.report['seconds'].values()):.1f} s")
