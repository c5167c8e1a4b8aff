"""Options that several commands share, the checks of them, and the model that they open."""

from __future__ import annotations

import argparse
import math
import re
from argparse import SUPPRESS
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from mgld import errors, settings
from mgld.commands import refusals
from mgld.compat import COMPATS, overruled, settings_as
from mgld.constants import DEFAULT_MODEL, LIMITS
from mgld.presets import folder_of
from mgld.settings import Settings

if TYPE_CHECKING:
    from mgld.pipeline import MGLDPipeline
    from mgld.video import Probe

DEVICE_NAMES = r"auto|(cpu|cuda|mps|xpu)(:\d+)?"


def add_range(command: argparse.ArgumentParser) -> None:
    """Add which part of the clip is meant."""
    command.add_argument("--frames", type=int, metavar="N", help="stop after this many frames")
    command.add_argument("--start", type=float, default=0.0, metavar="SECONDS", help="where in the clip to begin")


def add_settings(command: argparse.ArgumentParser, without: tuple[str, ...] = ()) -> None:
    """Add one option per field of Settings, but for those left out, and the word that sets many of them.

    Ranges, defaults and words come from there; what is not given is absent from the parsed line.
    """
    command.add_argument(
        "--compat", choices=COMPATS, action=_Once, help="published: what the published test scripts set (default ours)"
    )
    for f in (f for f in fields(Settings) if f.name not in without):
        flag = _flag(f.name)
        if "options" in f.metadata:
            command.add_argument(flag, choices=f.metadata["options"], default=SUPPRESS, help=f.metadata["help"])
            continue
        low, high = f.metadata["range"]
        text = f"{f.metadata['help']} ({low:.10g}…{high:.10g}, default {f.default:g})"
        command.add_argument(flag, type=type(f.default), default=SUPPRESS, metavar="N", help=text)


class _Once(argparse.Action):
    """Take one word; refuse a second one that says otherwise."""

    def __call__(self, parser, namespace, word, option_string=None) -> None:
        if getattr(namespace, self.dest) not in (None, word):
            parser.error(str(refusals.option_twice(option_string, getattr(namespace, self.dest), word)))
        setattr(namespace, self.dest, word)


OVERRULED = "{} {} goes before --compat {}, which says {}"
PEER = "esrgan:"  # in front of a checkpoint's file where methods are named


def add_methods(
    command: argparse.ArgumentParser, methods: tuple[str, ...], default: tuple[str, ...], count: str
) -> None:
    """Add which methods to run, peers among them."""

    def named(text: str) -> str:
        if text in methods or text.removeprefix(PEER) not in ("", text):
            return text
        raise argparse.ArgumentTypeError(f"invalid choice: {text!r} (choose from {', '.join(methods)}, {PEER}FILE)")

    told = f"any of {', '.join(methods)}, and {PEER}FILE for a 4x checkpoint of the ESRGAN family"
    command.add_argument("--methods", nargs=count, type=named, default=default, metavar="METHOD", help=told)


def ours_among(named: Sequence[str]) -> list[str]:
    """Return the methods of --methods without the peers."""
    return [name for name in named if not name.startswith(PEER)]


def peers_among(named: Sequence[str]) -> dict[str, Path]:
    """Return the checkpoints of --methods by the names of their files."""
    files = [Path(name.removeprefix(PEER)) for name in named if name.startswith(PEER)]
    return {file.stem: file for file in files}


def add_model(command: argparse.ArgumentParser) -> None:
    """Add which weights to open."""
    command.add_argument(
        "--model", default=DEFAULT_MODEL, help="tiny, sd21, a folder, or OWNER/NAME[@COMMIT] of the Hub"
    )


def add_device(command: argparse.ArgumentParser) -> None:
    """Add where and in what precision to compute."""
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 …")
    command.add_argument(
        "--dtype", default="auto", choices=("auto", *settings.DTYPES), help="precision of the networks"
    )


def settings_of(chosen: argparse.Namespace, method: str | None = None) -> Settings:
    """Return the checked settings of a parsed command line, for its method or the given one.

    An option that was left out is as --compat says, else at its default.
    """
    given = _given(chosen)
    method = method or given.get("method", Settings.method)
    return settings_as(chosen.compat or COMPATS[0], method, given | {"method": method})


def notes_of_compat(chosen: argparse.Namespace, methods: Sequence[str]) -> list[str]:
    """Say which options that were given go before --compat, which had said otherwise."""
    given, found = _given(chosen), {}
    for method in methods:
        found |= overruled(chosen.compat or COMPATS[0], method, given)
    return [OVERRULED.format(_flag(n), ours, chosen.compat, theirs) for n, (ours, theirs) in found.items()]


def _given(chosen: argparse.Namespace) -> dict[str, object]:
    return {f.name: getattr(chosen, f.name) for f in fields(Settings) if hasattr(chosen, f.name)}


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def check_range(chosen: argparse.Namespace) -> None:
    """Refuse a part of a clip that cannot be."""
    check_frames(chosen.frames)
    if not (math.isfinite(chosen.start) and chosen.start >= 0):
        raise errors.bad_setting("--start", chosen.start, "0 or more seconds")


def check_rate(source: Path, fps: float | None) -> None:
    """Refuse a rate that cannot be, or that the clip has itself."""
    if fps is None:
        return
    if not source.is_dir() and source.suffix.lower() != ".zip":
        raise errors.bad_setting("--fps", fps, "left out: only a folder of frames has no rate of its own")
    if not LIMITS.lowest_fps <= fps <= LIMITS.highest_fps:
        raise errors.bad_setting("--fps", fps, f"from {LIMITS.lowest_fps:g} to {LIMITS.highest_fps:g}")


def check_frames(count: int | None) -> None:
    """Refuse to stop before the first frame."""
    if count is not None and count < 1:
        raise errors.bad_setting("--frames", count, "1 or more")


def check_model(chosen: argparse.Namespace) -> None:
    """Refuse a model that is not here and a device that has no such name, before seconds go into loading libraries."""
    folder_of(chosen.model)
    if not re.fullmatch(DEVICE_NAMES, chosen.device):
        raise errors.device_unusable(chosen.device, "there is no device of that name; try auto, cpu, cuda or cuda:1")


def check_start(clip: Probe, start_s: float) -> None:
    """Refuse to begin after the clip's end."""
    if clip.duration_s is not None and start_s >= clip.duration_s > 0:
        raise refusals.start_beyond(start_s, clip.duration_s)


def check_output(source: Path, output: Path) -> None:
    """Refuse to write over what is read."""
    if source.exists() and output.exists() and source.samefile(output):
        raise refusals.output_is_input(output)


def open_pipeline(chosen: argparse.Namespace) -> MGLDPipeline:
    """Load the chosen model; heavy imports wait until the arguments are known to be good."""
    from diffusers.utils import logging

    from mgld.pipeline import MGLDPipeline

    logging.disable_progress_bar()  # one for every shard of a tiny model
    return MGLDPipeline.from_pretrained(chosen.model, chosen.device, chosen.dtype)
