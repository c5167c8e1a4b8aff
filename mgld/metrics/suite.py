"""All metrics of one result at once, with the networks loaded once; what cannot be measured is None, and said why."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from functools import partial

import numpy as np

from mgld.errors import UserError
from mgld.flow import load_flow
from mgld.metrics import fidelity, naturalness, perceptual, temporal
from mgld.metrics.vgg import load_perceptual

Measured = dict[str, float | list[float | None] | None]
NEEDS_TRUTH = "It compares with the ground truth, and none was given."


class Suite:
    """Metrics ready to measure; missing names those whose numbers are not on this machine, and how to get them."""

    def __init__(self, metric_flow: str, device: str = "cpu") -> None:
        self.missing: dict[str, str] = {}
        self._flow = load_flow(metric_flow, device)
        self._lpips = self._loaded("lpips", partial(load_perceptual, device))
        self._alex = self._loaded("lpips_alex", partial(perceptual.load_alex, device))
        self._dists = self._loaded("dists", partial(perceptual.load_dists, device))
        self._niqe = self._loaded("niqe", naturalness.load_niqe)
        self._brisque = self._loaded("brisque", naturalness.load_brisque)

    def _loaded(self, name: str, load: Callable[[], object]) -> object | None:
        try:
            return load()
        except UserError as absent:
            self.missing[name] = str(absent)
            return None

    def motion_of(self, reference_u8: np.ndarray) -> temporal.Backward:
        """Return the motion of u8 [T,H,W,3] that warping errors follow; measure it once per ground truth."""
        return temporal.motion_of(reference_u8, self._flow)

    def measure(
        self,
        clip_u8: np.ndarray,
        truth_u8: np.ndarray | None,
        motion: temporal.Backward | None,
        borders: Collection[int] = (),
        blurred_u8: np.ndarray | None = None,
    ) -> Measured:
        """Return every metric of clip u8 [T,H,W,3]; JSON-ready, None for what cannot be measured.

        motion is the ground truth's, or None to follow the clip's own; sharpness is set against the truth, else against blurred.
        """
        pairs = temporal.warping_errors(clip_u8, motion or self.motion_of(clip_u8))
        reference = blurred_u8 if truth_u8 is None else truth_u8
        measured = {
            **self._against(clip_u8, truth_u8),
            "niqe": self._niqe and naturalness.niqe(clip_u8, self._niqe),
            "brisque": self._brisque and naturalness.brisque(clip_u8, self._brisque),
            "we": temporal.warping_error(pairs),
            "we_border_ratio": temporal.border_ratio(pairs, borders),
            "sharpness": float(np.mean(temporal.sharpness(clip_u8))),
            "sharpness_ratio": None if reference is None else temporal.sharpness_ratio(clip_u8, reference),
        }
        return {name: finite(value) for name, value in measured.items()} | {"we_pairs": [finite(e) for e in pairs]}

    def _against(self, clip_u8: np.ndarray, truth_u8: np.ndarray | None) -> dict[str, float | None]:
        if truth_u8 is None:
            return dict.fromkeys(("psnr", "ssim", "lpips", "lpips_alex", "dists"))
        return {
            "psnr": fidelity.psnr(clip_u8, truth_u8),
            "ssim": fidelity.ssim(clip_u8, truth_u8),
            "lpips": self._lpips and perceptual.lpips(clip_u8, truth_u8, self._lpips),
            "lpips_alex": self._alex and perceptual.lpips(clip_u8, truth_u8, self._alex),
            "dists": self._dists and perceptual.dists(clip_u8, truth_u8, self._dists),
        }


def finite(value: float | None) -> float | None:
    """Return value, or None where JSON has no word for it: NaN, and the infinite PSNR of equal clips."""
    return value if value is not None and math.isfinite(value) else None
