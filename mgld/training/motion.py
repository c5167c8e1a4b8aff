"""Motion whose flow is known: a photograph along a camera path, and a moving layer in front of it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

Matrix = np.ndarray  # 3×3, output pixel → source pixel


@dataclass(frozen=True)
class MovingClip:
    """frames u8 [T,H,W,3]; exact flow to the next and previous frame [T-1,2,H,W] in pixels; visibility [T-1,1,H,W] in {0,1}."""

    frames: np.ndarray
    to_next: np.ndarray
    to_previous: np.ndarray
    visible_in_next: np.ndarray
    visible_in_previous: np.ndarray


def camera_path(count: int, side_px: int, rng: np.random.Generator) -> list[Matrix]:
    """Draw a smooth path of pan, zoom, rotation and hand shake about the centre of a side_px square."""
    speed_px = rng.gamma(1.5, 1.2)
    heading = rng.uniform(0, 2 * np.pi)
    pan = speed_px * np.array([np.cos(heading), np.sin(heading)])
    turn = rng.normal(0, 0.004) * (rng.random() < 0.5)
    zoom = rng.normal(0, 0.006) * (rng.random() < 0.5)
    shake_px = rng.exponential(0.4) * (rng.random() < 0.5)
    drift = np.cumsum(rng.normal(0, shake_px, (count, 2)), axis=0) if shake_px else np.zeros((count, 2))
    return [_similarity(pan * i + drift[i], turn * i, np.exp(zoom * i), side_px) for i in range(count)]


def _similarity(shift: np.ndarray, angle: float, scale: float, side_px: int) -> Matrix:
    """Return the map that turns and scales about the square's centre, then shifts."""
    c = (side_px - 1) / 2
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.array([[cos, -sin, c - cos * c + sin * c], [sin, cos, c - sin * c - cos * c], [0, 0, 1]])
    return np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1]]) @ turn


def move(background: np.ndarray, path: list[Matrix], side_px: int, front: Layer | None = None) -> MovingClip:
    """Render u8 photograph(s) along path(s) into side_px squares, with exact flow and occlusion.

    The square starts at the centre of the photograph; borders are mirrored.
    """
    offset = [(background.shape[1] - side_px) / 2, (background.shape[0] - side_px) / 2]
    paths = [[_translation(*offset) @ m for m in path]]
    masks = None
    frames = np.stack([_view(background, m, side_px) for m in paths[0]])
    if front is not None:
        masks = np.stack([_view(front.mask, m, side_px, cv2.BORDER_CONSTANT) for m in front.path])[..., None]
        views = np.stack([_view(front.rgb, m, side_px) for m in front.path])
        frames = np.rint(frames * (1 - masks) + views * masks).astype(np.uint8)
        paths.append(front.path)
    return _with_flow(frames, paths, masks, side_px)


@dataclass(frozen=True)
class Layer:
    """A cut-out in front: u8 rgb [h,w,3], soft mask float32 [h,w] in 0…1, and its own path."""

    rgb: np.ndarray
    mask: np.ndarray
    path: list[Matrix]


def blob_layer(photo: np.ndarray, count: int, side_px: int, rng: np.random.Generator) -> Layer:
    """Cut a soft blob out of a photograph and give it its own path across the square."""
    height, width = photo.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    centre = np.array([rng.uniform(0.3, 0.7) * width, rng.uniform(0.3, 0.7) * height])
    radius = side_px * rng.uniform(0.15, 0.35)
    angle = np.arctan2(y - centre[1], x - centre[0])
    wobble = sum(rng.normal(0, 0.12) * np.cos(k * angle + rng.uniform(0, 6.28)) for k in (2, 3, 5))
    distance = np.hypot(x - centre[0], y - centre[1]) / (radius * (1 + wobble))
    mask = np.clip((1 - distance) * radius / 1.5 + 0.5, 0, 1).astype(np.float32)
    spot = rng.uniform(0.2, 0.8, 2) * side_px
    start = _translation(*(centre - spot))
    return Layer(photo, mask, [start @ m for m in camera_path(count, side_px, rng)])


def _translation(dx: float, dy: float) -> Matrix:
    return np.array([[1.0, 0, dx], [0, 1.0, dy], [0, 0, 1.0]])


def _view(source: np.ndarray, matrix: Matrix, side_px: int, border: int = cv2.BORDER_REFLECT_101) -> np.ndarray:
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    view = cv2.warpAffine(source, matrix[:2], (side_px, side_px), flags=flags, borderMode=border)
    return np.clip(view, 0, 1) if source.dtype == np.float32 else view


def _with_flow(frames: np.ndarray, paths: list[list[Matrix]], masks: np.ndarray | None, side_px: int) -> MovingClip:
    """Assemble exact flow from the layers' paths; a pixel is visible where the same layer is on top of its target."""
    grid = np.stack(np.meshgrid(np.arange(side_px), np.arange(side_px)), 0).astype(np.float64)  # [2,H,W]
    tops = np.zeros(frames.shape[:3], int) if masks is None else (masks[..., 0] > 0.5).astype(int)
    result = {"to_next": [], "to_previous": [], "visible_in_next": [], "visible_in_previous": []}
    for i in range(len(frames) - 1):
        for name, seen, a, b in (
            ("to_next", "visible_in_next", i, i + 1),
            ("to_previous", "visible_in_previous", i + 1, i),
        ):
            flows = [_layer_flow(path[a], path[b], grid) for path in paths]
            flow = np.choose(tops[a][None], flows)
            target = np.rint(grid + flow).astype(int)
            inside = ((target >= 0) & (target < side_px)).all(0)
            x, y = np.clip(target, 0, side_px - 1)
            result[name].append(flow.astype(np.float32))
            result[seen].append((inside & (tops[b][y, x] == tops[a]))[None].astype(np.float32))
    shapes = {"to_next": 2, "to_previous": 2, "visible_in_next": 1, "visible_in_previous": 1}
    arrays = {
        k: np.stack(v) if v else np.zeros((0, shapes[k], side_px, side_px), np.float32) for k, v in result.items()
    }
    return MovingClip(frames, **arrays)


def _layer_flow(here: Matrix, there: Matrix, grid: np.ndarray) -> np.ndarray:
    """Where a layer's pixel of one frame lies in the other, minus where it was; [2,H,W]."""
    m = np.linalg.inv(there) @ here
    x, y = grid
    return np.stack([m[0, 0] * x + m[0, 1] * y + m[0, 2] - x, m[1, 0] * x + m[1, 1] * y + m[1, 2] - y])
