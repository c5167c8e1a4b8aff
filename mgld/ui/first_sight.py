"""The finished comparison that the page shows before anything is clicked; `assets/example/make_example.py` makes it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from gradio.data_classes import FileData

from mgld.comparison.layers import TRUTH, label_of
from mgld.methods import METHODS
from mgld.settings import ASSETS
from mgld.ui.compare import Comparison

FOLDER = ASSETS / "example"


@dataclass(frozen=True)
class Example:
    """A comparison and its table, and what the other tabs hold of it; value is None where the example has not been made."""

    value: object | None
    table: str
    scope_choice: str = ""
    scope_summary: str = ""
    scope_picture: str | None = None
    sweep_table: str = ""
    sweep_picture: str | None = None
    ablation_table: str = ""


@lru_cache(maxsize=1)
def finished_example() -> Example:
    """Return the shipped example."""
    if not (FOLDER / "stage.json").exists():
        return Example(None, "")
    stored = json.loads((FOLDER / "stage.json").read_text(encoding="utf-8"))
    video = FileData(path=str(FOLDER / "stage.mp4"), orig_name="comparison.mp4", mime_type="video/mp4")
    tabs = json.loads((FOLDER / "tabs.json").read_text(encoding="utf-8"))
    return Example(
        Comparison(video=video, **stored["stage"]),
        stored["table"],
        tabs["scope"]["choice"],
        tabs["scope"]["summary"],
        str(FOLDER / "scope.webp"),
        tabs["sweep"],
        str(FOLDER / "sweep.webp"),
        tabs["ablation"],
    )


@lru_cache(maxsize=1)
def example_layers() -> dict[str, np.ndarray]:
    """Return the shipped example's layers u8 [T,H,W,3] by name, cut out of its one video; empty where it has not been made."""
    from mgld.video import read_frames

    if not (FOLDER / "stage.json").exists():
        return {}
    stage = json.loads((FOLDER / "stage.json").read_text(encoding="utf-8"))["stage"]
    sheets = np.stack([f.rgb_u8 for f in read_frames(FOLDER / "stage.mp4")])
    names = {label_of(name): name for name in (*METHODS, TRUTH)}
    height, width, found = stage["height"], stage["width"], {}
    for i, label in enumerate(stage["layers"]):
        y, x = i // stage["columns"] * height, i % stage["columns"] * width
        found[names.get(label, label)] = sheets[:, y : y + height, x : x + width]
    return found
