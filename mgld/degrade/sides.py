"""Which sides can be degraded: those of which a quarter is even; what is over is cut at the right and lower borders."""

from __future__ import annotations

import numpy as np

from mgld.constants import LIMITS, SCALE

STEP_PX = 2 * SCALE  # codecs want the quarter even
SMALLEST_PX = SCALE * LIMITS.smallest_side_px  # of a side of which a quarter can be upscaled
TRUTH_CUT = "the ground truth of {}×{} is cut to {}×{} at its right and lower borders, as degrade cuts"


def degradable(height: int, width: int) -> tuple[int, int]:
    """Return the sides of the part of a frame that is degraded."""
    return height - height % STEP_PX, width - width % STEP_PX


def as_degraded(truth_u8: np.ndarray, wanted_hw: tuple[int, int], notes: list[str]) -> np.ndarray:
    """Return u8 [T,H,W,3] cut as degrade cuts it, and note that, if wanted_hw is what it cuts; else as it is."""
    height, width = truth_u8.shape[1:3]
    if (height, width) == wanted_hw or degradable(height, width) != wanted_hw:
        return truth_u8
    notes.append(TRUTH_CUT.format(width, height, wanted_hw[1], wanted_hw[0]))
    return np.ascontiguousarray(truth_u8[:, : wanted_hw[0], : wanted_hw[1]])
