"""`upscale IN OUT`: a clip in, the same clip four times as large out."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mgld.commands.console import say, say_notes, say_progress
from mgld.commands.options import (
    add_device,
    add_model,
    add_range,
    add_settings,
    check_model,
    check_output,
    check_range,
    check_rate,
    check_start,
    notes_of_compat,
    open_pipeline,
    settings_of,
)
from mgld.commands.report import check_place, write_json
from mgld.methods import PEERS
from mgld.settings import SCALE, Settings

if TYPE_CHECKING:
    from mgld.kept import KeptRun
    from mgld.pipeline import MGLDPipeline


def add_to(commands: argparse._SubParsersAction) -> None:
    """Register the command with one option per setting."""
    command = commands.add_parser("upscale", help="enlarge a video, GIF or folder of frames four times")
    command.add_argument("input", metavar="IN", type=Path, help="video file, GIF, folder or zip of frames")
    command.add_argument("output", metavar="OUT", type=Path, help=".mp4 .mov .mkv .gif, or a folder for PNG frames")
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
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> None:
    """Read, upscale, write; show progress; report."""
    wanted = settings_of(chosen)
    say_notes(notes_of_compat(chosen, [wanted.method]))
    check_range(chosen)
    check_rate(chosen)
    check_output(chosen.input, chosen.output)
    check_place(chosen.json)
    from mgld.presets import describe_model
    from mgld.video import VideoWriter, probe, read_frames
    from mgld.video.clip import INTERLACED, RATE_ASSUMED

    started = time.monotonic()
    check_model(chosen)
    clip = probe(chosen.input, chosen.fps)
    check_start(clip, chosen.start)
    output = VideoWriter(
        chosen.output, clip.fps, audio_from=chosen.input, start_s=chosen.start, lossless=chosen.lossless
    )
    say_notes(clip.notes, {INTERLACED: "--deinterlace removes it", RATE_ASSUMED: "--fps states another"})
    if total := clip.frames_ahead(chosen.start, chosen.frames):
        output.check_room(total, SCALE * clip.height, SCALE * clip.width)
    pipeline = open_pipeline(chosen)
    loaded_s = time.monotonic() - started
    report, damage = {}, []
    frames = read_frames(chosen.input, chosen.start, chosen.frames, chosen.fps, chosen.deinterlace, damage)
    with _kept(chosen, wanted, pipeline) as kept, output as writer:
        early = list(writer.notes)  # what cannot be kept is said before the work
        say_notes(early)
        for event in pipeline.run(frames, wanted, total, kept=kept):
            report = show(event, writer) or report
    say_notes([*damage, *writer.notes[len(early) :]])
    report["seconds"] = {"load": round(loaded_s, 3), **report["seconds"], "all": round(time.monotonic() - started, 3)}
    report |= {"input": str(chosen.input), "output": str(chosen.output), "model": describe_model(chosen.model)}
    if chosen.json:
        write_json(chosen.json, report)
    say(f"{report['frames']} frames in {report['seconds']['all']:.1f} s → {chosen.output}")


@contextmanager
def _kept(chosen: argparse.Namespace, wanted: Settings, pipeline: MGLDPipeline) -> Iterator[KeptRun]:
    """Open what an earlier run of the same command had finished; forget it once the output is whole."""
    from mgld.comparison.store import sha256_of
    from mgld.kept import KeptRun, run_key
    from mgld.presets import describe_model

    source = {"sha256": sha256_of(chosen.input), "start_s": chosen.start, "frames": chosen.frames}
    source |= {"deinterlace": chosen.deinterlace}
    key = run_key(wanted, describe_model(chosen.model), str(pipeline.device), str(pipeline.dtype), source)
    kept = KeptRun(None if wanted.method in PEERS else key)
    try:
        yield kept
        kept.remove()
    except BaseException:
        if kept.count:
            say(f"{kept.count} finished segments are kept: the same command goes on after them.")
        raise
    finally:
        kept.close()


def show(event, writer) -> dict | None:
    """Write finished frames, draw the progress line; return the report when it comes."""
    from mgld.events import FramesDone, Note, Progress, Result, Resumed
    from mgld.kept import told

    if isinstance(event, FramesDone):
        for frame, time_s in zip(event.frames_u8, event.times_s, strict=True):
            writer.write(frame, time_s)
    if isinstance(event, Resumed):
        say(f"{told(event)}: going on after {event.frames} frames")
    if isinstance(event, Progress):
        say_progress(event)
    if isinstance(event, Note):
        say_notes([event.text])
    return event.report if isinstance(event, Result) else None
