"""A cut is found where it is; motion, light, noise and fades are none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mgld.flow import cuts


def scene(seed: int, height: int = 120, width: int = 160, margin: int = 60) -> np.ndarray:
    """Make u8 [H+2m,W+2m,3] of soft shapes of several sizes, as pictures have."""
    rng = np.random.default_rng(seed)
    size = (width + 2 * margin, height + 2 * margin)
    layers = [cv2.resize(rng.random((side, side, 3)), size, interpolation=cv2.INTER_CUBIC) for side in (4, 9, 30)]
    mixed = layers[0] + 0.6 * layers[1] + 0.3 * layers[2]
    return (np.clip(mixed / 1.9, 0, 1) * 255).astype(np.uint8)


def view(picture: np.ndarray, x: float = 0, y: float = 0, zoom: float = 1, margin: int = 60) -> np.ndarray:
    height, width = picture.shape[0] - 2 * margin, picture.shape[1] - 2 * margin
    matrix = np.float32([[1 / zoom, 0, margin + x], [0, 1 / zoom, margin + y]])
    return cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def found(frames) -> list[int]:
    return [i for i, begins in enumerate(cuts.cuts(frames)) if begins]


@pytest.mark.parametrize("seed", range(8))
def test_a_cut_is_found_where_it_is(seed):
    first, second = scene(seed), scene(seed + 100)
    frames = [view(first, 3 * i) for i in range(5)] + [view(second, 0, 2 * i) for i in range(4)]
    assert found(frames) == [5]


@pytest.mark.parametrize(
    "path",
    [
        [view(scene(1), 6 * i, 3 * i) for i in range(8)],
        [view(scene(2), zoom=1 + 0.06 * i) for i in range(8)],
        [np.clip(view(scene(3), 2 * i) * (1 - 0.12 * i), 0, 255).astype(np.uint8) for i in range(9)],
        [np.clip(view(scene(4)).astype(int) + 20 * i, 0, 255).astype(np.uint8) for i in range(5)],
        [cv2.addWeighted(view(scene(5)), 1 - i / 12, view(scene(6)), i / 12, 0) for i in range(13)],
        [view(scene(7))] * 3,
        [np.full((120, 160, 3), level, np.uint8) for level in (0, 0, 2, 0)],
    ],
    ids=["pan", "zoom", "fade to black", "brighter", "dissolve", "still", "black"],
)
def test_what_goes_on_is_no_cut(path):
    assert found(path) == []


@pytest.mark.parametrize("level", [0, 20])
def test_grain_is_no_cut(level):
    rng = np.random.default_rng(0)
    dark = np.full((120, 160, 3), level, np.float32)
    assert found(np.clip(dark + rng.normal(0, 25, dark.shape), 0, 255).astype(np.uint8) for _ in range(5)) == []


def test_something_that_passes_is_no_cut():
    frames = [view(scene(8)) for _ in range(6)]
    for i, frame in enumerate(frames):
        frame[20:90, 20 * i : 20 * i + 40] = (250, 240, 20)
    assert found(frames) == []


@pytest.mark.parametrize("flash", [255, 0])
def test_a_flash_is_two_borders(flash):
    frames = [view(scene(9), 2 * i) for i in range(6)]
    frames[3] = np.full_like(frames[3], flash)
    assert found(frames) == [3, 4]


@pytest.mark.parametrize("size", [(16, 16), (16, 128), (720, 1280)])
def test_any_size_is_looked_at(size):
    frames = [cv2.resize(view(scene(seed)), size[::-1]) for seed in (10, 10, 11)]
    assert found(frames) == [2]


@pytest.mark.parametrize("seed", range(4))
def test_black_bars_hide_no_cut(seed):
    frames = [view(scene(s), 3 * i) for s in (seed, seed + 200) for i in range(3)]
    for frame in frames:
        frame[:26], frame[-26:] = 0, 0
    assert found(frames) == [3]


def test_the_thresholds_stand_between_scenes_and_cuts():
    """With room on both sides, as between the films that they were measured on."""
    grey = cuts._small_grey
    within = [cuts.left_over(grey(view(scene(s), 5)), grey(view(scene(s), 8, 2))) for s in range(12)]
    across = [cuts.left_over(grey(view(scene(s))), grey(view(scene(s + 50)))) for s in range(12)]
    shares, likeness = zip(*within, strict=True)
    assert max(shares) < cuts.UNLIKE_SHARE / 2 and min(likeness) > cuts.ALIKE + 0.05
    shares, likeness = zip(*across, strict=True)
    assert min(shares) > cuts.UNLIKE_SHARE * 1.3 and max(likeness) < cuts.ALIKE - 0.05
