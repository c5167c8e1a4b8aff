"""Wide-gamut colours → BT.709, in linear light; what no screen of today's kind can show is clipped."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

# AVColorPrimaries → x, y of red, green, blue; all of them with D65 white
WIDE = {
    9: ("BT.2020", ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))),
    12: ("Display P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))),
}
UNCONVERTED = {8: "film", 10: "XYZ", 11: "DCI-P3"}  # seldom enough to be told instead
BT709 = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
D65 = (0.3127, 0.3290)
LEVELS = 4096  # of linear light, when it is coded again


def to_bt709(rgb_u8: np.ndarray, primaries: int) -> np.ndarray:
    """Convert u8 [H,W,3] from the primaries (AVColorPrimaries) to BT.709; unchanged where they are not wide."""
    if primaries not in WIDE:
        return rgb_u8
    import cv2  # seldom needed, and a fifth of what it takes to start a decoder

    linear = _linear()[rgb_u8]
    linear = cv2.transform(linear, _matrix(primaries))
    return _coded()[(np.clip(linear, 0, 1) * (LEVELS - 1) + 0.5).astype(np.uint16)]


def note(primaries: int) -> str | None:
    """Say what became of the colours, if anything did."""
    if primaries in WIDE:
        return f"{WIDE[primaries][0]} colours converted to BT.709: what it cannot show is clipped"
    if primaries in UNCONVERTED:
        return f"{UNCONVERTED[primaries]} colours are taken for BT.709: they may look wrong"
    return None


@lru_cache
def _matrix(primaries: int) -> np.ndarray:
    return (np.linalg.inv(_to_xyz(BT709)) @ _to_xyz(WIDE[primaries][1])).astype(np.float32)


def _to_xyz(primaries: tuple[tuple[float, float], ...]) -> np.ndarray:
    """Return the matrix [3,3] from linear RGB to XYZ whose white is D65."""
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in primaries]).T
    x, y = D65
    return columns * np.linalg.solve(columns, (x / y, 1, (1 - x - y) / y))


@lru_cache
def _linear() -> np.ndarray:
    """Return the light of each of 256 levels: BT.709's curve, which BT.2020 shares."""
    v = np.arange(256) / 255
    return np.where(v < 0.081, v / 4.5, ((v + 0.099) / 1.099) ** (1 / 0.45)).astype(np.float32)


@lru_cache
def _coded() -> np.ndarray:
    light = np.arange(LEVELS) / (LEVELS - 1)
    v = np.where(light < 0.018, 4.5 * light, 1.099 * light**0.45 - 0.099)
    return np.clip(v * 255 + 0.5, 0, 255).astype(np.uint8)
