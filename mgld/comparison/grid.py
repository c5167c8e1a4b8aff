"""Layers side by side: in the one video that the stage draws from, and labelled in one picture that is taken home."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mgld.comparison.layers import first_pair, label_of
from mgld.comparison.stage import Column, Curve, MapPlaces, StageVideo
from mgld.plots import HIDDEN, colours_of, heat_scale
from mgld.video.writer import LOOKED_AT, VideoWriter

LARGEST_SIDE_PX = 4096  # what every H.264 decoder of a browser takes
PLATE = (24, 24, 27)  # behind a name, whatever the picture is
TALLEST = "(Ay)"
MAPS_A_CELL = 4  # heat-maps are half as wide and high as the pictures


@dataclass(frozen=True)
class Heat:
    """Coloured maps u8 [T,H,W,3] by layer, of any size, in the order of the layers, and their scale from 0 to top."""

    maps: dict[str, np.ndarray]
    top: float


def stack_layers(
    path: Path,
    layers: dict[str, np.ndarray],
    fps: float,
    borders: Sequence[int] = (),
    curves: Sequence[Curve] = (),
    heat: Heat | None = None,
    pair: tuple[int, int] | None = None,
    table: Sequence[Column] = (),
) -> StageVideo:
    """Write the layers, u8 [T,H,W,3] by name, and their heat-maps as one grid video to path; return what the stage needs.

    The times are even: one frame number is one picture of every layer and of every map.
    """
    frames = next(iter(layers.values()))
    cells = len(layers) + (-(-len(layers) // MAPS_A_CELL) if heat else 0)
    columns, height, width = plan_grid(cells, *frames.shape[1:3])
    pictures = [(layer, _cell(i, columns, height, width)) for i, layer in enumerate(layers.values())]
    named = heat.maps.items() if heat else ()
    maps = [(m, _quarter(i, len(layers), columns, height, width)) for i, (_, m) in enumerate(named)]
    with VideoWriter(path, fps, preset=LOOKED_AT) as writer:
        for n in range(len(frames)):
            sheet = np.zeros((-(-cells // columns) * height, columns * width, 3), np.uint8)
            for clip, (x, y, w, h) in (*pictures, *maps):
                sheet[y : y + h, x : x + w] = _fitted(clip[n], h, w)
            writer.write(sheet, n / fps)
    places = MapPlaces([place for _, place in maps], heat.top, heat_scale(), HIDDEN) if heat else None
    keys = list(layers)
    return StageVideo(
        columns, width, height, fps, len(frames), keys, [label_of(key) for key in keys], colours_of(keys), list(borders),
        list(curves), list(table), pair or first_pair(keys), places,
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
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)


def labelled_grid(layers: dict[str, np.ndarray]) -> np.ndarray:
    """Return the layers u8 [T,H,W,3] in the squarest grid, each with its name in the corner: two are a pair, four a quad."""
    marked = [_labelled(frames, label_of(name)) for name, frames in layers.items()]
    columns = len(marked) if len(marked) < 4 else math.ceil(math.sqrt(len(marked)))
    marked += [np.zeros_like(marked[0])] * (-len(marked) % columns)
    rows = [np.concatenate(marked[i : i + columns], axis=2) for i in range(0, len(marked), columns)]
    return np.concatenate(rows, axis=1)


def _labelled(frames: np.ndarray, label: str) -> np.ndarray:
    """Write a name on a dark plate in the corner of frames u8 [T,H,W,3].

    One stroke width only: OpenCV spaces letters by it, so that an outline under them would stand beside them.
    """
    size = max(frames.shape[1] / 700, 0.4)
    (width, _), _ = cv2.getTextSize(label, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    (_, height), below = cv2.getTextSize(TALLEST, cv2.FONT_HERSHEY_SIMPLEX, size, 1)  # plates of one height
    marked = frames.copy()
    marked[:, : height + 2 * below + 8, : width + 16] = PLATE
    for frame in marked:
        cv2.putText(
            frame, label, (8, height + below + 4), cv2.FONT_HERSHEY_SIMPLEX, size, (255, 255, 255), 1, cv2.LINE_AA
        )
    return marked
