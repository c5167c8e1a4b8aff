"""What the stage shows, in plain data: `grid.py` makes it, the page and its script read it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Curve:
    """One figure per frame and layer, named for readers and by its metric's key; None where it is not defined."""

    key: str
    name: str
    values: list[list[float | None]]


@dataclass(frozen=True)
class Column:
    """One figure of the table: its heading, by layer what is written and whether it is the best, and its decimals."""

    key: str
    name: str
    decimals: int
    texts: list[str]
    best: list[bool]


@dataclass(frozen=True)
class MapPlaces:
    """Where the heat-map of each layer lies in the stage's video, (x, y, width, height), and what its colours mean."""

    places: list[tuple[int, int, int, int]]
    top: float
    colours: list[str]
    hidden: str


@dataclass(frozen=True)
class StageVideo:
    """One video with the layers in a grid, row by row, each width × height pixels, and what is drawn beside it.

    keys are the layers' names, layers their labels, colours one #rrggbb each; pair the two layers that are compared first.
    """

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
    pair: tuple[int, int]
    residual: MapPlaces | None = None
