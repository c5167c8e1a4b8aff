"""The comparison stage: every method's frames in one video, drawn frame-locked in the browser."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from gradio.data_classes import FileData, GradioModel

from mgld.comparison.layers import PREFERRED
from mgld.comparison.stage import StageVideo
from mgld.ui import words
from mgld.ui.element import PAGE, PageElement, joined

# What may be said of the right one's warping error in the left one's: the first whose limit it keeps to
CLAIMS = ((0.7, "steady"), (0.95, "less"), (1.05, "alike"), (math.inf, "more"))
SOFTER = 0.95  # of the left one's sharpness


class Opening(GradioModel):
    """How a comparison opens: at a frame, as "picture", "heat" or "both"; with a speed it plays by itself until a hand stops it."""

    frame: int
    show: str
    speed: float | None = None


class Comparison(GradioModel):
    """What the stage shows: a video, what it holds, and what is said of it."""

    video: FileData
    stage: StageVideo
    claim: str = ""  # a sentence about the pair that is compared first
    notes: list[str] = []  # what must be known to read the table
    opens: Opening | None = None
    poster: FileData | None = None  # the video's picture at the frame with which it opens
    slices: FileData | None = None  # the middle row of every frame, layer by layer, one below another


def shown(video: Path, stage: StageVideo, notes: Sequence[str] = ()) -> Comparison:
    """Return a comparison as the browser gets it, with sentences that stand under its table."""
    served = FileData(path=str(video), orig_name="comparison.mp4", mime_type="video/mp4")
    return Comparison(video=served, stage=stage, claim=claim_of(stage), notes=list(notes))


def claim_of(stage: StageVideo) -> str:
    """Say what is to be seen where per-frame diffusion stands beside MGLD, as strongly as the figures of both allow."""
    if tuple(stage.keys[i] for i in stage.pair) != PREFERRED or not stage.table:
        return ""  # another pair, or one that is still being made
    if stage.frames == 1:
        return words.CLAIM_STILL
    flicker, sharpness = (_second_in_first(stage, key) for key in ("we", "sharpness"))
    name = next(name for most, name in CLAIMS if flicker <= most)
    return words.CLAIMS[name].format(softer=words.CLAIM_SOFTER if sharpness < SOFTER else "")


def _second_in_first(stage: StageVideo, key: str) -> float:
    """Return the mean of a curve of the pair's second layer in that of its first; 1 where the first has none."""
    values = next(curve.values for curve in stage.curves if curve.key == key)
    first, second = (fmean([v for v in values[i] if v is not None] or [0.0]) for i in stage.pair)
    return second / first if first else 1.0


def _page() -> str:
    """Return the page with its words; Gradio takes it as a template, so no word may hold a backtick, ${ or {{."""
    rows = [f"<div><dt>{_keyed(keys)}</dt><dd>{_keyed(does)}</dd></div>" for keys, does in words.STAGE_KEYS.items()]
    template = (PAGE / "compare.html").read_text(encoding="utf-8").replace("[[key_rows]]", "\n".join(rows))
    return words.placed(template, {"empty": words.STAGE_TOLD["empty"], **words.STAGE})


def _keyed(text: str) -> str:
    return re.sub("`(.+?)`", r"<kbd>\1</kbd>", html.escape(text))


def _script() -> str:
    phrases = json.dumps(words.STAGE_TOLD, ensure_ascii=False)
    return f"const WORDS = {phrases};\n{joined(PAGE / 'compare' / 'life.js')}"


class CompareStage(PageElement):
    """Wipe, flip, grid, difference, temporal profile and curves over one video; the value is a Comparison."""

    data_model = Comparison
    own_html = _page()
    own_css = (PAGE / "compare.css").read_text(encoding="utf-8")
    own_script = _script()
