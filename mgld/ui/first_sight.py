"""The finished comparison that the page shows before anything is clicked; `assets/example/make_example.py` makes it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from gradio.data_classes import FileData

from mgld.settings import ASSETS
from mgld.ui.compare import Comparison

FOLDER = ASSETS / "example"


@dataclass(frozen=True)
class Example:
    """A comparison and its table; value is None where the example has not been made."""

    value: object | None
    table: str


def finished_example() -> Example:
    """Return the shipped example."""
    if not (FOLDER / "stage.json").exists():
        return Example(None, "")
    told = json.loads((FOLDER / "stage.json").read_text())
    video = FileData(path=str(FOLDER / "stage.mp4"), orig_name="comparison.mp4", mime_type="video/mp4")
    return Example(Comparison(video=video, **told["stage"]), told["table"])
