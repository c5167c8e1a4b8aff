"""The comparison stage: every method's frames in one video, drawn frame-locked in the browser."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
import numpy as np
from gradio.data_classes import FileData, GradioModel

from mgld.plots import HIDDEN, OKABE_ITO, heat_scale
from mgld.settings import ASSETS
from mgld.ui import words
from mgld.video import VideoWriter

PAGE = ASSETS / "page"
# The page's script is one function body in several files, joined in reading order.
SCRIPT = ("state", "frames", "drawing", "profile", "curves", "saving", "hands", "life")
LARGEST_SIDE_PX = 4096  # what every H.264 decoder of a browser takes
MAPS_A_CELL = 4  # heat-maps are half as wide and high as the pictures

class Curve(GradioModel):
    """One figure per frame and layer; None where it is not defined."""

    name: str
    values: list[list[float | None]]

class Residual(GradioModel):
    """Where the heat-map of each layer lies in the same video, (x, y, width, height), and what its colours mean."""

    places: list[tuple[int, int, int, int]]
    top: float
    colours: list[str]
    hidden: str

class Comparison(GradioModel):
    """What the stage shows: one video with the layers in a grid, row by row, each width × height pixels."""

    video: FileData
    columns: int
    width: int
    height: int
    fps: float
    frames: int
    layers: list[str]
    borders: list[int]
    curves: list[Curve]
    pair: tuple[int, int]  # the layers that are compared first
    residual: Residual | None = None
    colours: list[str] = list(OKABE_ITO)

@dataclass(frozen=True)
class Heat:
    """Coloured maps u8 [T,H,W,3] by layer, of any size, in the order of the layers, and their scale from 0 to top."""

    maps: dict[str, np.ndarray]
    top: float

class CompareStage(gr.HTML):
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
    from collections.abc import Callable, Sequence
    from typing import TYPE_CHECKING, Any, Literal

    from gradio.blocks import Block

    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component

def _page() -> str:
    """Return the page with its words; Gradio takes it as a template, so no word may hold a backtick, ${ or {{."""
    rows = [f"<div><dt>{_keyed(keys)}</dt><dd>{_keyed(told)}</dd></div>" for keys, told in words.STAGE_KEYS.items()]
    template = (PAGE / "compare.html").read_text(encoding="utf-8").replace("[[key_rows]]", "\n".join(rows))
    return words.placed(template, {"empty": words.STAGE_TOLD["empty"], **words.STAGE})

def _keyed(text: str) -> str:
    return re.sub("`(.+?)`", r"<kbd>\1</kbd>", html.escape(text))

def _script() -> str:
    parts = [(PAGE / "compare" / f"{part}.js").read_text(encoding="utf-8") for part in SCRIPT]
    return "\n".join([f"const WORDS = {json.dumps(words.STAGE_TOLD, ensure_ascii=False)};", *parts])

def stack_layers(
    path: Path,
    layers: dict[str, np.ndarray],
    fps: float,
    borders: Sequence[int] = (),
    curves: Sequence[dict] = (),
    heat: Heat | None = None,
) -> Comparison:
    """Write the layers, u8 [T,H,W,3] by label, and their heat-maps as one grid video to path; return what the stage needs.

    The times are even: one frame number is one picture of every layer and of every map.
    """
    frames = next(iter(layers.values()))
    cells = len(layers) + (-(-len(layers) // MAPS_A_CELL) if heat else 0)
    columns, height, width = plan_grid(cells, *frames.shape[1:3])
    pictures = [(layer, _cell(i, columns, height, width)) for i, layer in enumerate(layers.values())]
    named = heat.maps.items() if heat else ()
    maps = [(m, _quarter(i, len(layers), columns, height, width)) for i, (_, m) in enumerate(named)]
    with VideoWriter(path, fps) as writer:
        for n in range(len(frames)):
            sheet = np.zeros((-(-cells // columns) * height, columns * width, 3), np.uint8)
            for clip, (x, y, w, h) in (*pictures, *maps):
                sheet[y : y + h, x : x + w] = _fitted(clip[n], h, w)
            writer.write(sheet, n / fps)
    video = FileData(path=str(path), orig_name="comparison.mp4", mime_type="video/mp4")
    places = [place for _, place in maps]
    residual = Residual(places=places, top=heat.top, colours=heat_scale(), hidden=HIDDEN) if heat else None
    last = len(layers) - 1
    return Comparison(
        video=video, columns=columns, width=width, height=height, fps=fps, frames=len(frames), layers=list(layers),
        borders=list(borders), curves=[Curve(**c) for c in curves], residual=residual,
        pair=(1, last) if last > 1 else (0, last),  # the input is first: of two layers it is one side, of more none
    )  # fmt: skip

def _cell(index: int, columns: int, height: int, width: int) -> tuple[int, int, int, int]:
    return index % columns * width, index // columns * height, width, height

def _quarter(index: int, layers: int, columns: int, height: int, width: int) -> tuple[int, int, int, int]:
    """Return the place (x, y, width, height) of one layer's map: four share the cell of a picture, after all pictures."""
    x, y, _, _ = _cell(layers + index // MAPS_A_CELL, columns, height, width)
    w, h = _even(width / 2), _even(height / 2)
    return x + index % 2 * w, y + index % MAPS_A_CELL // 2 * h, w, h

def plan_grid(count: int, height: int, width: int) -> tuple[int, int, int]:
    """Return (columns, height, width) of the squarest grid; layers shrink evenly if it would be too large for browsers."""
    columns = math.ceil(math.sqrt(count))
    rows = -(-count // columns)
    scale = min(1.0, LARGEST_SIDE_PX / (columns * width), LARGEST_SIDE_PX / (rows * height))
    return columns, _even(height * scale), _even(width * scale)

def _even(side: float) -> int:
    """Round to the even number that H.264 with halved chroma needs, so that layers begin on whole pixels of both planes."""
    return max(2, int(side) // 2 * 2)

def _fitted(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """Shrink a frame, or cut the odd row or column that the grid has no place for."""
    if 0 <= frame.shape[0] - height <= 1 and 0 <= frame.shape[1] - width <= 1:
        return frame[:height, :width]
    import cv2

    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
