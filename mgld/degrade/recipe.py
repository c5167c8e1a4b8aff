"""Every number of the RealBasicVSR degradation (MGLD spec §8.2), in the 0–255 domain, and the walk that moves them."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np


@dataclass(frozen=True)
class Walk:
    """A range and the largest change from one frame to the next."""

    low: float
    high: float
    step: float

    def path(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw a start inside the range, then walk `count` frames, clipped to the range; float64 [count]."""
        values = np.empty(count)
        value = rng.uniform(self.low, self.high)
        for i in range(count):
            values[i] = value
            value = np.clip(value + rng.uniform(-self.step, self.step), self.low, self.high)
        return values


@dataclass(frozen=True)
class BlurRecipe:
    probability: float
    sigma: Walk
    kinds: tuple[tuple[str, float], ...] = (
        ("iso", 0.405),
        ("aniso", 0.225),
        ("generalized_iso", 0.108),
        ("generalized_aniso", 0.027),
        ("plateau_iso", 0.108),
        ("plateau_aniso", 0.027),
        ("sinc", 0.1),
    )
    sizes: tuple[int, ...] = (7, 9, 11, 13, 15, 17, 19, 21)
    angle: Walk = Walk(-pi, pi, pi / 10)
    beta_generalized: Walk = Walk(0.5, 4.0, 0.05)
    beta_plateau: Walk = Walk(1.0, 2.0, 0.1)
    cutoff_small: Walk = Walk(pi / 3, pi, 0.0628)  # kernels under 13 px
    cutoff_large: Walk = Walk(pi / 5, pi, 0.0628)


@dataclass(frozen=True)
class ResizeRecipe:
    up_down_keep: tuple[float, float, float]
    scale: Walk  # values under 1 shrink


@dataclass(frozen=True)
class NoiseRecipe:
    gaussian_sigma: Walk
    poisson_scale: Walk
    gaussian_share: float = 0.5
    grey_share: float = 0.4


@dataclass(frozen=True)
class Stage:
    blur: BlurRecipe
    resize: ResizeRecipe
    noise: NoiseRecipe
    jpeg_quality: Walk = Walk(30, 95, 3)
    codecs: tuple[str, ...] = ("libx264", "h264", "mpeg4")  # "h264" is libx264 by another name, as published
    bitrate: tuple[int, int] = (10_000, 100_000)  # at one frame per second


FIRST = Stage(
    BlurRecipe(1.0, Walk(0.2, 3.0, 0.02)),
    ResizeRecipe((0.2, 0.7, 0.1), Walk(0.15, 1.5, 0.015)),
    NoiseRecipe(Walk(1, 30, 0.1), Walk(0.05, 3.0, 0.005)),
)
SECOND = Stage(
    BlurRecipe(0.8, Walk(0.2, 1.5, 0.02)),
    ResizeRecipe((0.3, 0.4, 0.3), Walk(0.3, 1.2, 0.03)),
    NoiseRecipe(Walk(1, 25, 0.1), Walk(0.05, 2.5, 0.005)),
)
FINAL_SINC_PROBABILITY = 0.8
