"""Where one scene ends and another begins: the later frame cannot be made of the earlier one by any motion.

Nothing may pass such a border: neither guidance, nor temporal layers, nor the overlap of segments. A flash is two
borders, one before it and one after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

SIDE_PX = 128  # of the pictures that are compared, the longer one
SHORTEST_PX = 64  # OpenCV's flow crashes below 16 and leaves out levels of its pyramid before; ribbons are stretched
BLUR_PX = 1.5  # grain and coding errors average out
UNLIKE_LEVELS = 8.0  # of 255, by which a pixel that motion explains may still differ
# Of nineteen films, motion left at most 0.15 of a picture unexplained inside a scene, and 0.66 at least across scenes.
UNLIKE_SHARE = 0.3
ALIKE = 0.85  # correlation that is left in the same scene when the light changes; across scenes it was 0.78 at most
BAR_LEVEL = 24  # rows and columns darker than this in both pictures are a frame around them (letterbox)


def cuts(frames_u8: Iterable[np.ndarray]) -> Iterator[bool]:
    """Yield for each frame u8 [H,W,3] whether a scene begins with it; the first frame begins none."""
    before = None
    for frame in frames_u8:
        after = _small_grey(frame)
        yield before is not None and _is_cut(before, after)
        before = after


def is_cut(before_u8: np.ndarray, after_u8: np.ndarray) -> bool:
    """Say whether after_u8 shows another scene than before_u8, both u8 [H,W,3] of one size."""
    return _is_cut(_small_grey(before_u8), _small_grey(after_u8))


def _is_cut(before: np.ndarray, after: np.ndarray) -> bool:
    if (np.abs(before.astype(np.float32) - after) > UNLIKE_LEVELS).mean() < UNLIKE_SHARE / 4:
        return False  # most pairs: no flow is needed
    rows, columns = (np.maximum(before, after).max(axis=axis) > BAR_LEVEL for axis in (1, 0))
    inside = np.ix_(rows, columns) if rows.any() and columns.any() else np.ix_(~rows, ~columns)
    # what is hidden one way may be seen the other way, so that one good explanation is enough
    found = (left_over(before, after, inside), left_over(after, before, inside))
    return all(share > UNLIKE_SHARE and alike < ALIKE for share, alike in found)


def left_over(before: np.ndarray, after: np.ndarray, inside: tuple = np.s_[:, :]) -> tuple[float, float]:
    """Return what motion does not explain of after u8 [h,w]: the share of pixels, and how far the rest correlates."""
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(after, before, None)
    height, width = after.shape
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)
    made = cv2.remap(before, grid + flow, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    made, after = made[inside], after[inside].astype(np.float32)
    return float((np.abs(made - after) > UNLIKE_LEVELS).mean()), _correlation(made, after)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return how alike two pictures are up to brightness and contrast, 1 at most; 0 where one of them is flat."""
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a * a).mean() * (b * b).mean()))
    return float((a * b).mean()) / spread if spread > 1e-3 else 0.0


def _small_grey(rgb_u8: np.ndarray) -> np.ndarray:
    """Return grey bytes [h,w] whose longer side is SIDE_PX."""
    height, width = rgb_u8.shape[:2]
    scale = SIDE_PX / max(height, width)
    size = max(round(width * scale), SHORTEST_PX), max(round(height * scale), SHORTEST_PX)
    small = cv2.resize(cv2.cvtColor(rgb_u8, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(small, (0, 0), BLUR_PX)
