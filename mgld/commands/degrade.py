"""`degrade GT OUT`: make a low-quality clip of a clean one, seeded."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_to(commands: argparse._SubParsersAction) -> None:
    """Register the command."""
    command = commands.add_parser("degrade", help="degrade a clean clip to a quarter of its size (RealBasicVSR)")
    command.add_argument("input", metavar="GT", type=Path)
    command.add_argument("output", metavar="OUT", type=Path)
    command.add_argument("--seed", type=int, default=0, help="the same seed gives the same clip")
    command.add_argument("--mild", action="store_true", help="as decent web video is, in place of RealBasicVSR's")
    command.add_argument("--frames", type=int, default=100, help="stop after this many frames (default 100)")
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> None:
    """Hold the clip, since its codec stages see it whole; degrade; write."""
    import numpy as np

    from mgld import errors
    from mgld.commands.console import say, say_notes
    from mgld.commands.options import check_frames, check_output
    from mgld.constants import SCALE
    from mgld.degrade import degrade
    from mgld.degrade.mild import degrade_mildly
    from mgld.events import counted
    from mgld.video import VideoWriter, probe, read_frames

    if chosen.seed < 0:
        raise errors.bad_setting("Seed", chosen.seed, "0 or more")
    check_frames(chosen.frames)
    check_output(chosen.input, chosen.output)
    clip = probe(chosen.input)
    frames = list(read_frames(chosen.input, max_frames=chosen.frames))
    if not frames:
        raise errors.no_frames()
    height, width, notes = _sides(chosen.input, *frames[0].rgb_u8.shape[:2])
    clean = [f.rgb_u8[:height, :width] for f in frames]
    low_quality = (degrade_mildly if chosen.mild else degrade)(clean, np.random.default_rng(chosen.seed))
    lossless = chosen.output.suffix == ".mkv"
    with VideoWriter(chosen.output, clip.fps, lossless=lossless) as writer:
        for frame, lq in zip(frames, low_quality, strict=True):
            writer.write(lq, frame.time_s)
    say(f"{counted(len(frames), 'frame')} of {width // SCALE}×{height // SCALE} → {chosen.output}")
    say_notes([*notes, *writer.notes])


def _sides(path: Path, height: int, width: int) -> tuple[int, int, list[str]]:
    """Return the sides of the part that is degraded, and what to say of the rest; refuse what would be too small."""
    from mgld.commands import refusals
    from mgld.degrade.sides import SMALLEST_PX, TRUTH_CUT, degradable

    cut_hw = degradable(height, width)
    if min(cut_hw) < SMALLEST_PX:
        raise refusals.too_small_to_degrade(path, width, height, SMALLEST_PX)
    notes = [TRUTH_CUT.format(width, height, *reversed(cut_hw))] if cut_hw != (height, width) else []
    return *cut_hw, notes
