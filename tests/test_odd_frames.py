"""Frames without texture, and with nothing else: finite pictures, figures and plots."""

from __future__ import annotations

import numpy as np
import pytest

from mgld.events import FramesDone
from mgld.metrics.fidelity import psnr, ssim
from mgld.settings import Settings
from mgld.video import Frame

NOISE = np.random.default_rng(0)
CLIPS = {
    "black": np.zeros((4, 20, 24, 3), np.uint8),
    "white": np.full((4, 20, 24, 3), 255, np.uint8),
    "one colour": np.full((4, 20, 24, 3), (0, 0, 255), np.uint8),
    "noise": NOISE.integers(0, 256, (4, 20, 24, 3), np.uint8),
    "saturated": NOISE.choice(np.uint8([0, 255]), (4, 20, 24, 3)),
    "flash": np.stack([np.full((20, 24, 3), 255 * (i == 2), np.uint8) for i in range(4)]),
    "cut": np.concatenate([np.zeros((2, 20, 24, 3), np.uint8), NOISE.integers(0, 256, (2, 20, 24, 3), np.uint8)]),
    "shuffled": NOISE.permutation(np.arange(4 * 20 * 24 * 3).reshape(4, 20, 24, 3) // 60 % 256).astype(np.uint8),
}


@pytest.mark.parametrize(
    ("name", "colour"), [*((name, "consistent") for name in CLIPS), ("black", "adain"), ("black", "wavelet")]
)
def test_any_content_gives_finite_pictures(pipeline, name, colour):
    """The engine refuses numbers that are not finite by a sentence, so that pictures here mean finite latents."""
    clip = [Frame(rgb, i / 10) for i, rgb in enumerate(CLIPS[name])]
    events = pipeline.run(clip, Settings(steps=2, segment=3, overlap=1, colour=colour, guidance=1.0), len(clip))
    frames = np.concatenate([e.frames_u8 for e in events if isinstance(e, FramesDone)])
    assert frames.shape == (4, 80, 96, 3) and frames.dtype == np.uint8


@pytest.mark.parametrize("name", ["black", "white", "one colour"])
def test_figures_of_flat_clips_are_no_surprise(name):
    assert psnr(CLIPS[name], CLIPS[name]) == float("inf")
    assert ssim(CLIPS[name], CLIPS[name]) == pytest.approx(1)
