"""The finished comparison that the page shows before anything is clicked; `assets/example/make_example.py` makes it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from gradio.data_classes import FileData
from pydantic import TypeAdapter

from mgld.comparison.figures import Figures
from mgld.comparison.layers import INPUT
from mgld.comparison.report import Outcome
from mgld.comparison.request import Request
from mgld.comparison.stage import StageVideo
from mgld.comparison.takeaway import Takeaway
from mgld.host import ASSETS
from mgld.methods import COMPARED
from mgld.settings import Settings
from mgld.ui import words
from mgld.ui.compare import Opening, shown

FOLDER = ASSETS / "example"
# The first frame whose flicker is known, slowly: what jumps from frame to frame is then seen at once, in the picture and as sparks.
OPENING = Opening(frame=1, show="both", speed=0.5)


@dataclass(frozen=True)
class Example:
    """A comparison, and what the other tabs hold of it; value is None where the example has not been made."""

    value: object | None
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
        return Example(None)
    stored = json.loads((FOLDER / "stage.json").read_text(encoding="utf-8"))
    made = TypeAdapter(StageVideo).validate_python(stored["stage"])
    filtered = words.filtered({method: Settings(method=method) for method in COMPARED})
    stage = shown(FOLDER / "stage.mp4", made, [*stored["notes"], *filtered, words.SMALL_MODEL])
    poster, slices = (
        FileData(path=str(FOLDER / name), orig_name=name, mime_type=kind)
        for name, kind in (("poster.webp", "image/webp"), ("slices.png", "image/png"))
    )
    tabs = json.loads((FOLDER / "tabs.json").read_text(encoding="utf-8"))
    return Example(
        stage.model_copy(update={"poster": poster, "slices": slices, "opens": OPENING}),
        tabs["scope"]["choice"],
        tabs["scope"]["summary"],
        str(FOLDER / "scope.webp"),
        tabs["sweep"],
        str(FOLDER / "sweep.webp"),
        tabs["ablation"],
    )


def write_stills(folder: Path) -> None:
    """Write what is seen before the example's video is there: the picture with which it opens, and the profile's lines."""
    from mgld.video import read_frames

    stage = json.loads((folder / "stage.json").read_text(encoding="utf-8"))["stage"]
    sheets = np.stack([f.rgb_u8 for f in read_frames(folder / "stage.mp4")])
    row = stage["height"] // 2
    lines = [sheets[:, y + row, x : x + stage["width"]] for x, y in _corners(stage)]
    cv2.imwrite(str(folder / "poster.webp"), sheets[OPENING.frame, ..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 80])
    cv2.imwrite(str(folder / "slices.png"), np.concatenate(lines)[..., ::-1])


def _corners(stage: dict) -> list[tuple[int, int]]:
    """Return where each layer begins in the example's video, (x, y) in pixels."""
    columns, width, height = stage["columns"], stage["width"], stage["height"]
    return [(i % columns * width, i // columns * height) for i in range(len(stage["layers"]))]


@lru_cache(maxsize=1)
def example_layers() -> dict[str, np.ndarray]:
    """Return the shipped example's layers u8 [T,H,W,3] by name, cut out of its one video; empty where it has not been made."""
    from mgld.video import read_frames

    if not (FOLDER / "stage.json").exists():
        return {}
    stage = json.loads((FOLDER / "stage.json").read_text(encoding="utf-8"))["stage"]
    sheets = np.stack([f.rgb_u8 for f in read_frames(FOLDER / "stage.mp4")])
    places = zip(stage["keys"], _corners(stage), strict=True)
    return {key: sheets[:, y : y + stage["height"], x : x + stage["width"]] for key, (x, y) in places}


def example_outcome() -> Outcome | None:
    """Return the shipped example as a finished comparison; None where it has not been made."""
    if not (FOLDER / "report.json").exists():
        return None
    stage, record = (json.loads((FOLDER / name).read_text(encoding="utf-8")) for name in ("stage.json", "report.json"))
    asked, fps, layers = record["asked"], stage["stage"]["fps"], example_layers()
    request = Request(ASSETS / "clips" / asked["clip"], 0.0, record["frames"], tuple(asked["methods"]), Settings())
    figures = Figures(record["figures"], record["curves"], tuple(stage["stage"]["borders"]), INPUT, "", {})
    times_s = tuple(n / fps for n in range(record["frames"]))
    date = datetime.fromisoformat(record["date"])
    return Outcome(request, date, times_s, fps, layers, request.runs, figures, record)


@lru_cache(maxsize=1)
def example_takeaway() -> Takeaway | None:
    """Return the shipped example's files, written once for all visitors; None where it has not been made."""
    outcome = example_outcome()
    return None if outcome is None else Takeaway(outcome)
