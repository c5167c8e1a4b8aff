"""All metrics of one result at once, with the networks loaded once; what cannot be measured is None, and said why."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

from mgld.errors import UserError
from mgld.flow import load_flow
from mgld.metrics import temporal
from mgld.metrics.catalogue import METRICS, Evidence, Metric, Need

Measured = dict[str, float | list[float | None] | None]
NEEDS_TRUTH = "It compares with the ground truth, and none was given."


class Suite:
    """Metrics ready to measure; missing says by key which have no numbers on this machine, and how to get them."""

    def __init__(self, metric_flow: str, device: str = "cpu") -> None:
        self.missing: dict[str, str] = {}
        self._flow = load_flow(metric_flow, device)
        self._models = {key: self._loaded(metric, device) for key, metric in METRICS.items()}

    def _loaded(self, metric: Metric, device: str) -> object | None:
        try:
            return None if metric.load is None else metric.load(device)
        except UserError as absent:
            self.missing[metric.key] = str(absent)
            return None

    def motion_of(self, reference_u8: np.ndarray) -> temporal.Backward:
        """Return the motion of u8 [T,H,W,3] that warping errors follow; measure it once per ground truth."""
        return temporal.motion_of(reference_u8, self._flow)

    def errors_of(self, clip_u8: np.ndarray, motion: temporal.Backward) -> list[float]:
        """Return the warping error of each pair of u8 [T,H,W,3], 0…255, NaN where nothing is visible."""
        return temporal.warping_errors(clip_u8, motion)

    def measure(
        self,
        clip_u8: np.ndarray,
        truth_u8: np.ndarray | None,
        motion: temporal.Backward | None,
        borders: Collection[int] = (),
        blurred_u8: np.ndarray | None = None,
        truth_errors: list[float] | None = None,
    ) -> Measured:
        """Return every metric of clip u8 [T,H,W,3]; JSON-ready, None for what cannot be measured.

        motion is the ground truth's, or None to follow the clip's own; sharpness is set against the truth, else against blurred.
        truth_errors are the warping errors of the ground truth's own pairs.
        """
        pairs = temporal.warping_errors(clip_u8, motion or self.motion_of(clip_u8))
        evidence = Evidence(
            clip_u8, pairs, truth_u8, borders, blurred_u8 if truth_u8 is None else truth_u8, truth_errors
        )
        measured: Measured = {key: metric.of(evidence, self._models[key]) for key, metric in METRICS.items()}
        return measured | {"we_pairs": [e if math.isfinite(e) else None for e in pairs]}


def without_truth() -> dict[str, str]:
    """Return why, by key, figures that compare with the ground truth are missing where there is none."""
    return {key: NEEDS_TRUTH for key, metric in METRICS.items() if Need.TRUTH in metric.needs}
