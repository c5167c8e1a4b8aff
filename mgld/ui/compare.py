"""The comparison stage: every method's frames in one video, drawn frame-locked in the browser."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import gradio as gr
import numpy as np
from gradio.data_classes import FileData, GradioModel

from mgld.settings import ASSETS
from mgld.video import VideoWriter

PAGE = ASSETS / "page"
LARGEST_SIDE_PX = 4096  # what every H.264 decoder of a browser takes


class Curve(GradioModel):
    """One figure per frame and layer; None where it is not defined."""

    name: str
    values: list[list[float | None]]


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


class CompareStage(gr.HTML):
    """Wipe, flip, grid, difference, temporal profile and curves over one video; the value is a Comparison."""

    data_model = Comparison

    def __init__(self, value: Comparison | None = None, elem_id: str | None = None, render: bool = True) -> None:
        super().__init__(
            value,
            html_template=(PAGE / "compare.html").read_text(encoding="utf-8"),
            css_template=(PAGE / "compare.css").read_text(encoding="utf-8"),
            js_on_load=(PAGE / "compare.js").read_text(encoding="utf-8"),
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


def stack_layers(
    path: Path, layers: dict[str, np.ndarray], fps: float, borders: Sequence[int] = (), curves: Sequence[dict] = ()
) -> Comparison:
    """Write the layers, u8 [T,H,W,3] by label, as one grid video to path, and return what the stage needs to show it.

    The times are even: one frame number is one picture of every layer.
    """
    frames = next(iter(layers.values()))
    columns, height, width = plan_grid(len(layers), *frames.shape[1:3])
    rows = -(-len(layers) // columns)
    with VideoWriter(path, fps) as writer:
        for n in range(len(frames)):
            sheet = np.zeros((rows * height, columns * width, 3), np.uint8)
            for i, layer in enumerate(layers.values()):
                y, x = i // columns * height, i % columns * width
                sheet[y : y + height, x : x + width] = _fitted(layer[n], height, width)
            writer.write(sheet, n / fps)
    video = FileData(path=str(path), orig_name="comparison.mp4", mime_type="video/mp4")
    return Comparison(
        video=video, columns=columns, width=width, height=height, fps=fps, frames=len(frames), layers=list(layers),
        borders=list(borders), curves=[Curve(**c) for c in curves],
    )  # fmt: skip


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
    if frame.shape[0] - height <= 1 and frame.shape[1] - width <= 1:
        return frame[:height, :width]
    import cv2

    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
