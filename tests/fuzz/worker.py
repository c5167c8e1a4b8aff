"""Read one file after the other as the decoding process does; say of each what came out."""

from __future__ import annotations

import json
import sys
import traceback
from collections import deque
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av.logging
import cv2
import numpy as np

from mgld.errors import UserError
from mgld.video import decode, mux, sound
from mgld.video.child import source_of
from mgld.video.confine import confine, renew_cpu_time
from mgld.video.container import BROKEN

MOST_FRAMES = 60


def outcome(file: Path, encoded: Path) -> str:
    """Return "clip" or "refused"; raise whatever else comes out."""
    seen = "refused"
    try:
        path = source_of(file)
    except UserError:
        return seen
    works = [lambda: decode.probe(path), lambda: _read(path, 0.0), lambda: _read(path, 0.1)]
    for work in [*works, lambda: _muxed(path, encoded, ".mp4"), lambda: _muxed(path, encoded, ".gif")]:
        try:
            work()
            seen = "clip"
        except (UserError, MemoryError):
            continue
    return seen


def _read(path: Path, start_s: float) -> None:
    frames = list(decode.frames(path, start_s, MOST_FRAMES, deinterlace=start_s > 0, notes=[]))
    shapes = {(f.rgb_u8.shape, f.rgb_u8.dtype) for f in frames}
    assert len(shapes) == 1, shapes
    assert next(iter(shapes))[1] == np.uint8
    times = [f.time_s for f in frames]
    assert times[0] == 0 and all(a < b for a, b in pairwise(times)), times


def _muxed(path: Path, encoded: Path, suffix: str) -> None:
    """Plan, as before the work, and put the sound beside pictures, as after it; without the sound that never fails."""
    first, _ = mux.plan(path, suffix)
    pictures = encoded.with_suffix(".gif" if suffix == ".gif" else ".mkv")
    job = mux.MuxJob(str(pictures), str(encoded.with_name("whole" + suffix)), [0, 3600, 7200], 0.04, 0.04)
    for way in sound.WAYS[sound.WAYS.index(first) :]:
        try:
            deque(mux.mux(path, replace(job, way=way)), maxlen=0)
            return
        except BROKEN:
            if way == sound.SILENT:
                raise


def main() -> None:
    """Answer every line of input, a path, with a line of JSON; the argument names two encoded pictures to mux."""
    encoded = Path(sys.argv[1])
    cv2.setNumThreads(1)
    av.logging.set_level(av.logging.ERROR)
    confine(may_write=True)
    for line in sys.stdin:
        renew_cpu_time()
        try:
            told = {"outcome": outcome(Path(line.strip()), encoded)}
        except Exception:
            told = {"outcome": "broke", "trace": traceback.format_exc()}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
