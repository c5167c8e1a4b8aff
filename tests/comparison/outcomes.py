"""A finished comparison with nothing computed, for what is made of one."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from mgld.comparison.figures import Figures
from mgld.comparison.report import Outcome
from mgld.comparison.request import Request
from mgld.settings import Settings
from tests import media

FRAMES, HEIGHT, WIDTH = 4, 96, 128
RESULTS = {"per_frame": Settings(method="per_frame"), "mgld": Settings(method="mgld")}


def outcome(folder: Path, name: str = "reef.mp4", **asked) -> Outcome:
    """Return a comparison of a clip that is written to folder."""
    clip = media.make_video(folder / name, media.coded_frames(FRAMES, HEIGHT // 4, WIDTH // 4), fps=10, sound_s=0.4)
    random = np.random.default_rng(0)
    layers = {n: random.integers(0, 256, (FRAMES, HEIGHT, WIDTH, 3), np.uint8) for n in ("bicubic", *RESULTS)}
    rows = {n: {"we": 3.0 - i, "sharpness": 5.0 + i} for i, n in enumerate(layers)}
    curves = {n: {"we": [None, 1.0, 2.0, 3.0], "sharpness": [1.0, 2.0, 3.0, 4.0]} for n in layers}
    record = {"runs": {n: {"device": "cpu"} for n in RESULTS}, "seconds": {"taken": 12.3}, "model": {"name": "tiny"}}
    return Outcome(
        Request(clip, 0.0, FRAMES, tuple(RESULTS), Settings(), **asked), datetime(2026, 11, 26, 9, 5, tzinfo=timezone.utc),
        tuple(i / 10 for i in range(FRAMES)), 10.0, layers, dict(RESULTS), Figures(rows, curves, (), "bicubic", "spynet", {}),
        record,
    )  # fmt: skip
