"""Untrusted clip → checked frames, decoded in a process of its own (sandbox), one at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import numpy as np

from mgld.constants import LIMITS
from mgld.video import refusals
from mgld.video.clip import Frame, Probe
from mgld.video.sandbox import ask

Answer = TypeVar("Answer")


def probe(path: Path | str, fps: float | None = None) -> Probe:
    """Look at a clip's header, first packets and first frame; raise UserError if it cannot be used.

    fps is that of a folder of frames.
    """
    path = Path(path)
    with closing(ask("probe", path, fps=fps)) as answers:
        for message, _ in answers:
            return _understood(lambda: _probe(message["probe"]), path)  # noqa: B023 (called at once)
    raise refusals.decoder_died(path)


def read_frames(
    path: Path | str,
    start_s: float = 0.0,
    max_frames: int | None = None,
    fps: float | None = None,
    deinterlace: bool = False,
    notes: list[str] | None = None,
) -> Iterator[Frame]:
    """Yield the frames from start_s on (nearest first), at most max_frames; holds one frame at a time.

    fps is that of a folder of frames. A damaged file yields what decodes; what there is to say of that is appended to
    notes when the last frame was taken. Raises UserError if nothing decodes, or if the picture changes its size.
    """
    path = Path(path)
    details: dict[str, object] = {"start_s": start_s, "max_frames": max_frames, "fps": fps, "deinterlace": deinterlace}
    with closing(ask("read", path, **details)) as answers:
        for message, payload in answers:
            if "shape" in message:
                yield _understood(lambda: _frame(message, payload), path)  # noqa: B023 (called at once)
            elif notes is not None:
                notes += map(str, message["notes"])


def _understood(read: Callable[[], Answer], path: Path) -> Answer:
    """Return what an answer holds; raise UserError where it is nonsense: a decoder that was taken over may say anything."""
    try:
        return read()
    except (KeyError, TypeError, ValueError) as error:
        raise refusals.decoder_died(path) from error


def _frame(message: dict, payload: bytearray) -> Frame:
    height, width, colours = message["shape"]
    time_s = float(message["time_s"])
    if colours != 3 or min(height, width) < LIMITS.smallest_side_px or not math.isfinite(time_s):
        raise ValueError(f"a frame of {height} x {width} x {colours} at {time_s} s")
    return Frame(np.frombuffer(payload, np.uint8).reshape(height, width, 3), time_s)


def _probe(told: dict) -> Probe:
    numbers = [told["width"], told["height"], told["fps"], told["duration_s"] or 0, told["frame_count"] or 0]
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError(f"a clip of {numbers}")
    return Probe(**{**told, "notes": tuple(map(str, told["notes"]))})
