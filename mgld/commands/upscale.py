"""`upscale IN OUT`: a clip in, the same clip four times as large out; `--out FOLDER` takes many, `--engine ray` many machines."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mgld import errors
from mgld.commands import refusals
from mgld.commands.clip_job import ClipJob, jobs_of
from mgld.commands.console import say, say_notes
from mgld.commands.options import (
    add_device,
    add_model,
    add_range,
    add_settings,
    check_model,
    check_range,
    notes_of_compat,
    open_pipeline,
    settings_of,
)
from mgld.commands.report import check_place, write_json
from mgld.errors import UserError
from mgld.settings import ENGINES, Settings


def add_to(commands: argparse._SubParsersAction) -> None:
    """Register the command with one option per setting."""
    command = commands.add_parser("upscale", help="enlarge videos, GIFs or folders of frames four times")
    command.add_argument(
        "paths",
        metavar="IN",
        nargs="+",
        type=Path,
        help="video file, GIF, folder or zip of frames; then OUT: .mp4 .mov .mkv .gif, or a folder for PNG frames",
    )
    command.add_argument("--out", type=Path, metavar="FOLDER", help="put there what becomes of all IN")
    add_model(command)
    add_range(command)
    command.add_argument("--fps", type=float, metavar="N", help="frames per second of a folder of frames")
    command.add_argument("--deinterlace", action="store_true", help="make whole frames of interlaced ones first")
    command.add_argument("--lossless", action="store_true", help="FFV1 in .mkv instead of H.264")
    command.add_argument(
        "--json", type=Path, metavar="REPORT", help="write settings, versions, hashes and timings here"
    )
    add_settings(command)
    add_device(command)
    command.add_argument("--engine", choices=ENGINES, default="local", help="this process, or a Ray cluster")
    command.add_argument(
        "--address", help="of the Ray cluster; left out: the one this machine belongs to, or a new one"
    )
    command.add_argument("--workers", type=int, metavar="N", help="in the cluster; left out: one on each GPU")
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> None:
    """Read, upscale, write; show progress; report. Of several clips one that fails does not stop the others."""
    wanted = settings_of(chosen)
    say_notes(notes_of_compat(chosen, [wanted.method]))
    check_range(chosen)
    check_place(chosen.json)
    _check_engine(chosen)
    jobs = jobs_of(chosen)
    check_model(chosen)
    if chosen.out is not None:
        _make_folder(chosen.out)
    failed: dict[Path, str] = {}
    looked_at = [job for job in jobs if _looked_at(job, failed, alone=chosen.out is None)]
    if looked_at and chosen.engine == "local":
        _upscale_here(chosen, wanted, looked_at, failed)
    elif looked_at:
        from mgld.commands.upscale_ray import upscale_there

        upscale_there(chosen, wanted, looked_at, failed)
    _conclude(chosen, jobs, failed)


def _upscale_here(
    chosen: argparse.Namespace, wanted: Settings, jobs: Sequence[ClipJob], failed: dict[Path, str]
) -> None:
    pipeline = open_pipeline(chosen)
    for job in jobs:
        if job is not jobs[0]:
            job.follow()
        with surviving(job, failed, alone=chosen.out is None):
            with job.working(wanted, str(pipeline.device), str(pipeline.dtype)) as kept:
                for event in pipeline.run(job.frames(), wanted, job.total, kept=kept):
                    job.take(event)
            job.tell()


@contextmanager
def surviving(job: ClipJob, failed: dict[Path, str], alone: bool) -> Iterator[None]:
    """Let a refusal end this clip only, and note it; a clip that is alone takes the command with it."""
    try:
        yield
    except UserError as refused:
        if alone:
            raise
        failed[job.source] = str(refused)
        say(f"{job.name}{refused}")


def _looked_at(job: ClipJob, failed: dict[Path, str], alone: bool) -> bool:
    with surviving(job, failed, alone):
        job.look()
    return job.source not in failed


def _check_engine(chosen: argparse.Namespace) -> None:
    """Refuse what only a cluster reads where there is none, and a number of workers that cannot be."""
    if chosen.workers is not None and chosen.workers < 1:
        raise errors.bad_setting("--workers", chosen.workers, "1 or more")
    for option in ("address", "workers"):
        if chosen.engine == "local" and getattr(chosen, option) is not None:
            raise errors.option_alone(f"--{option}", "--engine ray")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise errors.output_failed(folder, error.strerror or "it cannot be made") from error


def _conclude(chosen: argparse.Namespace, jobs: Sequence[ClipJob], failed: dict[Path, str]) -> None:
    """Write the report, of several clips one with an entry for each; say how many failed, and with which words."""
    if chosen.json:
        from mgld.presets import describe_model

        model = {"model": describe_model(chosen.model)}
        clips = [
            j.report if j.source not in failed else {"input": str(j.source), "failed": failed[j.source]} for j in jobs
        ]
        write_json(chosen.json, clips[0] | model if chosen.out is None else model | {"clips": clips})
    if chosen.out is not None:
        say(f"{len(jobs) - len(failed)} of {len(jobs)} clips are in {chosen.out}")
    if failed:
        raise refusals.clips_failed({str(source): reason for source, reason in failed.items()}, len(jobs))
