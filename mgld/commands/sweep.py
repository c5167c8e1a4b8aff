"""`sweep --lq DIR`: guidance modes × strengths, from the same noise; what the default was chosen on."""

from __future__ import annotations

import argparse
from dataclasses import replace

from mgld import constants, errors, settings
from mgld.commands import evaluate
from mgld.commands.console import say_notes
from mgld.commands.options import check_frames, notes_of_compat, settings_of
from mgld.events import counted
from mgld.methods import COMPARED
from mgld.settings import Settings


def add_to(commands: argparse._SubParsersAction) -> None:
    """Register the command."""
    command = commands.add_parser("sweep", help="measure guidance strengths: steadiness against sharpness")
    evaluate.add_clips(command)
    command.add_argument("--modes", nargs="+", choices=settings.GUIDANCE_MODES, default=("corrected",), metavar="MODE")
    command.add_argument("--strengths", nargs="+", type=float, default=constants.SWEEP, metavar="S")
    evaluate.add_measuring(command)
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> None:
    """Measure per_frame, then MGLD at every strength of every mode; print the mean."""
    recipes = recipes_of(chosen)
    say_notes(notes_of_compat(chosen, COMPARED))
    _check_lengths(chosen)
    report = evaluate.evaluate(chosen, recipes, {})
    from mgld.metrics.table import markdown

    print(f"Mean of {counted(len(report['clips']), 'clip')}; MGLD at each guidance mode and strength\n")
    print(markdown(report["mean"], heading="recipe"))
    evaluate.tell_measuring(report)


def _check_lengths(chosen: argparse.Namespace) -> None:
    """Refuse a clip without motion, on which every strength comes to the same."""
    check_frames(chosen.frames)
    from mgld.metrics.clips import clips_in, read_clip

    for clip in clips_in(chosen.lq).values():
        if len(read_clip(clip, min(chosen.frames or 2, 2))) < 2:
            raise errors.too_few_frames()


def recipes_of(chosen: argparse.Namespace) -> dict[str, Settings]:
    """Return the settings to compare by the name of their row; strength 0 is the same in every mode and runs once."""
    base, recipes = settings_of(chosen, "mgld"), {"per_frame": settings_of(chosen, "per_frame")}
    for strength in chosen.strengths:
        for mode in chosen.modes if strength else chosen.modes[:1]:
            name = f"{mode} {strength:g}" if strength else "no guidance"
            recipes[name] = replace(base, guidance=strength, guidance_mode=mode).checked()
    return recipes
