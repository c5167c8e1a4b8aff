"""Read one file after the other as the decoding process does; say of each what came out."""

from __future__ import annotations

import json
import sys
import traceback
from itertools import pairwise
from pathlib import Path

import av.logging
import cv2
import numpy as np

from mgld.errors import UserError
from mgld.video import decode, mux
from mgld.video.confine import confine, renew_cpu_time
from mgld.video.source import plays

MOST_FRAMES = 60


def outcome(path: Path) -> str:
    """Return "clip" or "refused"; raise whatever else comes out."""
    seen = "refused"
    for work in (lambda: decode.probe(path), lambda: _read(path, 0.0), lambda: _read(path, 0.1), lambda: _kept(path)):
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


def _kept(path: Path) -> None:
    """Plan, as before the work, and look at times and loops, as when the result is muxed."""
    mux.plan(path, ".mp4")
    mux.plan(path, ".mkv")
    for _ in mux.timing(path):
        pass
    plays(path)


def main() -> None:
    """Answer every line of input, a path, with a line of JSON."""
    cv2.setNumThreads(1)
    av.logging.set_level(av.logging.ERROR)
    confine(may_write=False)
    for line in sys.stdin:
        renew_cpu_time()
        try:
            told = {"outcome": outcome(Path(line.strip()))}
        except Exception:
            told = {"outcome": "broke", "trace": traceback.format_exc()}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
