"""The comparison stage: every method's frames in one video, drawn frame-locked in the browser."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from statistics import fmean

import gradio as gr
from gradio.data_classes import FileData, GradioModel

from mgld.comparison.grid import StageVideo
from mgld.comparison.layers import PREFERRED
from mgld.ui import words
from mgld.ui.element import PAGE, Unstubbed, joined

STEADIER = 0.9  # of the other's warping error: what an eye takes for steadier


class Curve(GradioModel):
    """One figure per frame and layer, named for readers and by its metric's key; None where it is not defined."""

    name: str
    key: str
    values: list[list[float | None]]


class Column(GradioModel):
    """One figure of the table: its heading, by layer what is written and whether it is the best, and its decimals."""

    key: str
    name: str
    decimals: int
    texts: list[str]
    best: list[bool]


class FlickerMaps(GradioModel):
    """Where the heat-map of each layer lies in the same video, (x, y, width, height), and what its colours mean."""

    places: list[tuple[int, int, int, int]]
    top: float
    colours: list[str]
    hidden: str


class Opening(GradioModel):
    """How a comparison opens: at a frame, as "picture", "heat" or "both"; with a speed it plays by itself until a hand stops it."""

    frame: int
    show: str
    speed: float | None = None


class Comparison(GradioModel):
    """What the stage shows: one video with the layers in a grid, row by row, each width × height pixels."""

    video: FileData
    columns: int
    width: int
    height: int
    fps: float
    frames: int
    keys: list[str]
    layers: list[str]
    colours: list[str]
    borders: list[int]
    curves: list[Curve]
    table: list[Column]
    pair: tuple[int, int]  # the layers that are compared first
    residual: FlickerMaps | None = None
    claim: str = ""  # a sentence about the pair
    notes: list[str] = []  # what must be known to read the table
    opens: Opening | None = None
    poster: FileData | None = None  # the video's picture at the frame with which it opens
    slices: FileData | None = None  # the middle row of every frame, layer by layer, one below another


def shown(stage: StageVideo, notes: Sequence[str] = ()) -> Comparison:
    """Return a comparison as the browser gets it, with sentences that stand under its table."""
    video = FileData(path=str(stage.video), orig_name="comparison.mp4", mime_type="video/mp4")
    return Comparison(**asdict(stage) | {"video": video, "claim": _claim(stage), "notes": list(notes)})


def _claim(stage: StageVideo) -> str:
    """Return what is to be seen where per-frame diffusion stands beside MGLD, if the numbers say so."""
    errors = next((curve["values"] for curve in stage.curves if curve["key"] == "we"), None)
    if errors is None or tuple(stage.keys[i] for i in stage.pair) != PREFERRED:
        return ""
    alone, guided = (fmean([e for e in errors[i] if e is not None] or [0.0]) for i in stage.pair)
    return words.CLAIM if guided < STEADIER * alone else ""


class CompareStage(gr.HTML, metaclass=Unstubbed):
    """Wipe, flip, grid, difference, temporal profile and curves over one video; the value is a Comparison."""

    data_model = Comparison

    def __init__(self, value: Comparison | None = None, elem_id: str | None = None, render: bool = True) -> None:
        super().__init__(
            value,
            html_template=_page(),
            css_template=(PAGE / "compare.css").read_text(encoding="utf-8"),
            js_on_load=_script(),
            apply_default_css=False,
            elem_id=elem_id,
            render=render,  # Gradio makes the component again, unrendered, for every update
        )

    def postprocess(self, value: Comparison | None) -> Comparison | None:
        return value

    def preprocess(self, payload: object) -> None:
        return None  # output only: what a browser sends back is never trusted

    def api_info(self) -> dict:
        return Comparison.model_json_schema()


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
