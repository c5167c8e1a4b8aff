"""A clip as decent web video is: little blur, little noise, light compression at the small size; seeded.

RealBasicVSR's degradation hardly ever leaves a clip alone, so what is trained on it alone does not learn to trust a clean one.
"""

from __future__ import annotations

import cv2
import numpy as np

from mgld.constants import SCALE
from mgld.degrade import INTERPOLATIONS, codec, kernels

KERNEL_PX = 21
# Chances and ranges, in the 0–255 domain; each is drawn once per clip.
BLURRED, SIGMA_PX = 0.7, (0.2, 1.8)
NOISY, NOISE, GREY = 0.6, (0.5, 8.0), 0.4
JPEG, QUALITY = 0.5, (60, 95)
CODED, BITS_PER_PX = 0.6, (0.3, 2.5)
FEWEST_BITS = 1500  # a frame: encoders refuse less
CODECS = ("libx264", "mpeg4")


def degrade_mildly(frames: list[np.ndarray], rng: np.random.Generator, scale: int = SCALE) -> list[np.ndarray]:
    """Return u8 [H/scale,W/scale,3] frames for u8 [H,W,3] frames of one clip; sides are even multiples of scale."""
    height, width = frames[0].shape[:2]
    clip = [frame.astype(np.float32) for frame in frames]
    if rng.random() < BLURRED:
        sigma = rng.uniform(*SIGMA_PX)
        kernel = kernels.gaussian(KERNEL_PX, sigma, sigma, 0.0)
        clip = [kernels.apply(frame, kernel) for frame in clip]
    interpolation = INTERPOLATIONS[rng.integers(len(INTERPOLATIONS))]
    clip = [cv2.resize(frame, (width // scale, height // scale), interpolation=interpolation) for frame in clip]
    if rng.random() < NOISY:
        clip = _noisy(clip, rng)
    small = [np.clip(np.rint(frame), 0, 255).astype(np.uint8) for frame in clip]
    return _compressed(small, rng)


def _noisy(clip: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    sigma, channels = rng.uniform(*NOISE), 1 if rng.random() < GREY else 3
    return [f + sigma * rng.standard_normal((*f.shape[:2], channels), dtype=np.float32) for f in clip]


def _compressed(clip: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """Pass u8 frames through JPEG, a video codec, both or neither."""
    if rng.random() < JPEG:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*QUALITY, endpoint=True))]
        coded = [cv2.imencode(".jpg", f[..., ::-1], quality)[1] for f in clip]
        clip = [np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]) for data in coded]
    if rng.random() < CODED:
        pixels = clip[0].shape[0] * clip[0].shape[1]
        bits = int(pixels * np.exp(rng.uniform(*np.log(BITS_PER_PX))))
        clip = codec.round_trip(clip, CODECS[rng.integers(len(CODECS))], max(bits, FEWEST_BITS))
    return clip
