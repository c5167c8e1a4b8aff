"""Every figure of a clip, once: its name, unit, direction and precision, what it needs, and how it is measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

import numpy as np

from mgld.metrics import fidelity, naturalness, perceptual, stored, temporal, vgg


class Better(Enum):
    """Where the best value lies, as a heading marks it."""

    HIGHER = "↑"
    LOWER = "↓"
    NEAREST_ONE = "→1"
    NEAREST_ZERO = "→0"


class Need(Enum):
    """What a figure is measured from beside the clip itself."""

    TRUTH = "truth"
    MOTION = "motion"
    BORDERS = "segment borders"
    TRUTH_MOTION = "the truth's own warping error"


@dataclass(frozen=True)
class Evidence:
    """One clip u8 [T,H,W,3] and what its figures are measured from.

    truth_u8 is the ground truth of the same shape; pair_errors the warping error of each pair of frames, 0…255, NaN where nothing
    is visible, truth_errors the ground truth's own; borders the frames that begin a segment; sharp_u8 what is as sharp as it should
    be.
    """

    clip_u8: np.ndarray
    pair_errors: list[float]
    truth_u8: np.ndarray | None = None
    borders: Collection[int] = ()
    sharp_u8: np.ndarray | None = None
    truth_errors: list[float] | None = None

    @cached_property
    def edges(self) -> list[float]:
        """Return each frame's sharpness, 0…1.42."""
        return temporal.sharpness(self.clip_u8)

    @property
    def given(self) -> frozenset[Need]:
        """Return which needs it meets."""
        met = {
            Need.TRUTH: self.truth_u8 is not None,
            Need.MOTION: bool(self.pair_errors),
            Need.BORDERS: bool(self.borders),
            Need.TRUTH_MOTION: bool(self.truth_errors),
        }
        return frozenset(need for need, is_met in met.items() if is_met)


@dataclass(frozen=True)
class Metric:
    """One figure of a clip, as code, tables, curves and reports name, round, judge and measure it.

    measure takes the evidence, with all that it needs, and what load returns for a device, or None where nothing is loaded.
    """

    key: str
    label: str
    better: Better
    decimals: int
    measure: Callable[[Any, Any], float | None]
    unit: str = ""
    needs: frozenset[Need] = frozenset()
    weights: stored.StoredFile | None = None
    load: Callable[[str], object] | None = None

    @property
    def heading(self) -> str:
        """Return what stands over its column or curve: the name, with unit and direction."""
        return " ".join(part for part in (self.label, self.unit and f"({self.unit})", self.better.value) if part)

    def of(self, evidence: Evidence, model: object | None = None) -> float | None:
        """Return the value, or None where a need is not met or the value is not finite, as the PSNR of equal clips."""
        if not self.needs <= evidence.given or (self.load is not None and model is None):
            return None
        value = self.measure(evidence, model)
        return value if value is not None and math.isfinite(value) else None

    def text(self, value: float | None) -> str:
        """Write a value as tables do: a dash where it is unknown."""
        return "–" if value is None else f"{value:.{self.decimals}f}"

    def badness(self, value: float) -> float:
        """Return a number that is lower for a better value."""
        if self.better is Better.NEAREST_ONE:
            return abs(value - 1)
        if self.better is Better.NEAREST_ZERO:
            return abs(value)
        return -value if self.better is Better.HIGHER else value


def _excess(evidence: Evidence, _: None) -> float | None:
    """A picture that is steadier than the truth has lost something: the truth's own noise, or its sharpness."""
    own, truths = (temporal.warping_error(errors or []) for errors in (evidence.pair_errors, evidence.truth_errors))
    return None if own is None or truths is None else own - truths


def _sharpness_ratio(evidence: Evidence, _: None) -> float | None:
    if evidence.sharp_u8 is None:
        return None
    return temporal.sharpness_ratio(evidence.clip_u8, evidence.sharp_u8)


TRUTH, MOTION = frozenset({Need.TRUTH}), frozenset({Need.MOTION})
_CATALOGUE = (  # in the order of the columns
    Metric("psnr", "PSNR", Better.HIGHER, 2, lambda e, _: fidelity.psnr(e.clip_u8, e.truth_u8), "dB", TRUTH),
    Metric("ssim", "SSIM", Better.HIGHER, 4, lambda e, _: fidelity.ssim(e.clip_u8, e.truth_u8), "", TRUTH),
    Metric(
        "lpips", "LPIPS(VGG)", Better.LOWER, 4, lambda e, net: perceptual.lpips(e.clip_u8, e.truth_u8, net),
        "", TRUTH, stored.VGG, vgg.load_perceptual,
    ),
    Metric(
        "lpips_alex", "LPIPS(Alex)", Better.LOWER, 4, lambda e, net: perceptual.lpips(e.clip_u8, e.truth_u8, net),
        "", TRUTH, stored.ALEX, perceptual.load_alex,
    ),
    Metric(
        "dists", "DISTS", Better.LOWER, 4, lambda e, net: perceptual.dists(e.clip_u8, e.truth_u8, net),
        "", TRUTH, stored.DISTS, perceptual.load_dists,
    ),
    Metric(
        "niqe", "NIQE", Better.LOWER, 3, lambda e, model: naturalness.niqe(e.clip_u8, model),
        weights=stored.NIQE, load=lambda device: naturalness.load_niqe(),
    ),
    Metric(
        "brisque", "BRISQUE", Better.LOWER, 2, lambda e, model: naturalness.brisque(e.clip_u8, model),
        weights=stored.BRISQUE, load=lambda device: naturalness.load_brisque(),
    ),
    Metric(
        "we", "warping error", Better.LOWER, 3, lambda e, _: temporal.warping_error(e.pair_errors),
        "grey levels", MOTION,
    ),
    Metric(
        "we_excess", "excess over the truth’s", Better.NEAREST_ZERO, 3, _excess, "grey levels",
        MOTION | {Need.TRUTH_MOTION},
    ),
    Metric(
        "we_border_ratio", "error at borders ÷ inside", Better.LOWER, 3,
        lambda e, _: temporal.border_ratio(e.pair_errors, e.borders), "", MOTION | {Need.BORDERS},
    ),
    Metric("sharpness", "sharpness", Better.HIGHER, 4, lambda e, _: float(np.mean(e.edges))),
    Metric("sharpness_ratio", "sharpness ratio", Better.NEAREST_ONE, 3, _sharpness_ratio),
)  # fmt: skip
METRICS = {metric.key: metric for metric in _CATALOGUE}
