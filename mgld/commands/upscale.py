"""`upscale IN OUT`: a clip in, the same clip four times as large out."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from mgld import errors, settings
from mgld.commands.report import check_place, write_json
from mgld.settings import LIMITS, Settings

if TYPE_CHECKING:
    from mgld.pipeline import MGLDPipeline


def add_to(commands: argparse._SubParsersAction) -> None:
    """Register the command with one option per setting."""
    command = commands.add_parser("upscale", help="enlarge a video, GIF or folder of frames four times")
    command.add_argument("input", metavar="IN", type=Path, help="video file, GIF or folder of frames")
    command.add_argument("output", metavar="OUT", type=Path, help=".mp4 .mov .mkv .gif, or a folder for PNG frames")
    command.add_argument("--model", default="tiny", help="tiny, sd21, a folder, or OWNER/NAME of a Hub repository")
    add_range(command)
    command.add_argument("--fps", type=float, metavar="N", help="frames per second of a folder of frames")
    command.add_argument("--deinterlace", action="store_true", help="make whole frames of interlaced ones first")
    command.add_argument("--lossless", action="store_true", help="FFV1 in .mkv instead of H.264")
    command.add_argument(
        "--json", type=Path, metavar="REPORT", help="write settings, versions, hashes and timings here"
    )
    add_settings(command)
    add_device(command)
    command.set_defaults(run=run)


def add_range(command: argparse.ArgumentParser) -> None:
    """Add which part of the clip is meant."""
    command.add_argument("--frames", type=int, metavar="N", help="stop after this many frames")
    command.add_argument("--start", type=float, default=0.0, metavar="SECONDS", help="where in the clip to begin")


def add_settings(command: argparse.ArgumentParser, without: tuple[str, ...] = ()) -> None:
    """Add one option per field of Settings, but for those left out; ranges, defaults and words come from there."""
    for f in (f for f in fields(Settings) if f.name not in without):
        flag = "--" + f.name.replace("_", "-")
        if "options" in f.metadata:
            command.add_argument(flag, choices=f.metadata["options"], default=f.default, help=f.metadata["help"])
            continue
        low, high = f.metadata["range"]
        text = f"{f.metadata['help']} ({low:g}…{high:g}, default {f.default:g})"
        command.add_argument(flag, type=type(f.default), default=f.default, metavar="N", help=text)


def add_device(command: argparse.ArgumentParser) -> None:
    """Add where and in what precision to compute."""
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 …")
    command.add_argument(
        "--dtype", default="auto", choices=("auto", *settings.DTYPES), help="precision of the networks"
    )


def settings_of(chosen: argparse.Namespace) -> Settings:
    """Return the checked settings of a parsed command line; an option that was left out keeps its default."""
    return Settings(**{f.name: getattr(chosen, f.name, f.default) for f in fields(Settings)}).checked()


def check_range(chosen: argparse.Namespace) -> None:
    """Refuse a part of a clip that cannot be."""
    check_frames(chosen.frames)
    if not (math.isfinite(chosen.start) and chosen.start >= 0):
        raise errors.bad_setting("--start", chosen.start, "0 or more seconds")


def check_rate(chosen: argparse.Namespace) -> None:
    """Refuse a rate that cannot be, or that the clip has itself."""
    if chosen.fps is None:
        return
    if not chosen.input.is_dir():
        raise errors.bad_setting("--fps", chosen.fps, "left out: only a folder of frames has no rate of its own")
    if not LIMITS.lowest_fps <= chosen.fps <= LIMITS.highest_fps:
        raise errors.bad_setting("--fps", chosen.fps, f"from {LIMITS.lowest_fps:g} to {LIMITS.highest_fps:g}")


def check_frames(count: int | None) -> None:
    """Refuse to stop before the first frame."""
    if count is not None and count < 1:
        raise errors.bad_setting("--frames", count, "1 or more")


def check_output(source: Path, output: Path) -> None:
    """Refuse to write over what is read."""
    if source.exists() and output.exists() and source.samefile(output):
        raise errors.output_is_input(output)


def open_pipeline(chosen: argparse.Namespace) -> MGLDPipeline:
    """Load the chosen model; heavy imports wait until the arguments are known to be good."""
    from diffusers.utils import logging

    from mgld.pipeline import MGLDPipeline

    logging.disable_progress_bar()  # one for every shard of a tiny model
    return MGLDPipeline.from_pretrained(chosen.model, chosen.device, chosen.dtype)


def run(chosen: argparse.Namespace) -> None:
    """Read, upscale, write; show progress; report."""
    wanted = settings_of(chosen)
    check_range(chosen)
    check_rate(chosen)
    check_output(chosen.input, chosen.output)
    check_place(chosen.json)
    from mgld.presets import describe_model
    from mgld.video import VideoWriter, probe, read_frames

    started = time.monotonic()
    clip = probe(chosen.input, chosen.fps)
    say_notes(clip.notes)
    pipeline = open_pipeline(chosen)
    loaded_s = time.monotonic() - started
    total = clip.frames_ahead(chosen.start, chosen.frames)
    report, damage = {}, []
    frames = read_frames(chosen.input, chosen.start, chosen.frames, chosen.fps, chosen.deinterlace, damage)
    with VideoWriter(
        chosen.output, clip.fps, audio_from=chosen.input, start_s=chosen.start, lossless=chosen.lossless
    ) as writer:
        early = list(writer.notes)  # what cannot be kept is said before the work
        say_notes(early)
        for event in pipeline.run(frames, wanted, total):
            report = show(event, writer) or report
    say_notes([*damage, *writer.notes[len(early) :]])
    report["seconds"] = {"load": round(loaded_s, 3), **report["seconds"], "all": round(time.monotonic() - started, 3)}
    report |= {"input": str(chosen.input), "output": str(chosen.output), "model": describe_model(chosen.model)}
    if chosen.json:
        write_json(chosen.json, report)
    say(f"{report['frames']} frames in {report['seconds']['all']:.1f} s → {chosen.output}")


def show(event, writer) -> dict | None:
    """Write finished frames, draw the progress line; return the report when it comes."""
    from mgld.events import FramesDone, Progress, Result

    if isinstance(event, FramesDone):
        for frame, time_s in zip(event.frames_u8, event.times_s, strict=True):
            writer.write(frame, time_s)
    if isinstance(event, Progress):
        total = "?" if event.total is None else f"{event.total:g}"
        left = "" if event.seconds_left is None else f" · {event.seconds_left:.0f} s left"
        say(f"frame {event.done:.1f} of {total}{left}", line=True)
    return event.report if isinstance(event, Result) else None


def say_notes(notes: Sequence[str]) -> None:
    """Tell what a person should know of the clip or the result."""
    for note in notes:
        say(f"note: {note}")


def say(text: str, line: bool = False) -> None:
    """Tell the person on standard error; a line is drawn over itself on a terminal, and left out elsewhere."""
    if line and not sys.stderr.isatty():
        return
    sys.stderr.write(f"\r{text:<60}" if line else f"{text}\n")
    sys.stderr.flush()
