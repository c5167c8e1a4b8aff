"""The RealBasicVSR degradation: clean clip in, low-quality clip at a quarter of its size out; seeded."""

from __future__ import annotations

import cv2
import numpy as np

from mgld.constants import SCALE
from mgld.degrade import codec, kernels
from mgld.degrade.recipe import FINAL_SINC_PROBABILITY, FIRST, SECOND, BlurRecipe, NoiseRecipe, ResizeRecipe, Stage

Clip = list[np.ndarray]  # float32 [H,W,3] in 0…255; sizes may differ by a few pixels until the codec

INTERPOLATIONS = (cv2.INTER_LINEAR, cv2.INTER_AREA, cv2.INTER_CUBIC)


def degrade(frames: list[np.ndarray], rng: np.random.Generator, scale: int = SCALE) -> list[np.ndarray]:
    """Return u8 [H/scale,W/scale,3] frames for u8 [H,W,3] frames of one clip.

    Parameters are drawn once per clip and then walk from frame to frame (spec §8.2), as a real camera's would.
    """
    height, width = frames[0].shape[:2]
    clip = [frame.astype(np.float32) for frame in frames]
    for stage in (FIRST, SECOND):
        clip = _stage(clip, stage, rng)
    interpolation = INTERPOLATIONS[rng.integers(3)]
    clip = [cv2.resize(f, (width // scale, height // scale), interpolation=interpolation) for f in clip]
    if rng.random() < FINAL_SINC_PROBABILITY:
        clip = _blur(clip, BlurRecipe(1.0, FIRST.blur.sigma, kinds=(("sinc", 1.0),)), rng)
    return [_u8(f) for f in clip]


def _stage(clip: Clip, stage: Stage, rng: np.random.Generator) -> Clip:
    clip = _blur(clip, stage.blur, rng)
    clip = _resize(clip, stage.resize, rng)
    clip = _noise(clip, stage.noise, rng)
    clip = _jpeg(clip, stage, rng)
    name = stage.codecs[rng.integers(len(stage.codecs))]
    bitrate = int(rng.integers(*stage.bitrate, endpoint=True))
    return [f.astype(np.float32) for f in codec.round_trip([_u8(f) for f in clip], name, bitrate)]


def _blur(clip: Clip, recipe: BlurRecipe, rng: np.random.Generator) -> Clip:
    if rng.random() >= recipe.probability:
        return clip
    names, shares = zip(*recipe.kinds, strict=True)
    kind = str(rng.choice(names, p=np.array(shares) / sum(shares)))
    size, count = int(rng.choice(recipe.sizes)), len(clip)
    if kind == "sinc":
        cutoffs = (recipe.cutoff_small if size < 13 else recipe.cutoff_large).path(count, rng)
        return [kernels.apply(f, kernels.sinc(size, c)) for f, c in zip(clip, cutoffs, strict=True)]
    sigma_x = recipe.sigma.path(count, rng)
    isotropic = kind in ("iso", "generalized_iso", "plateau_iso")
    sigma_y = sigma_x if isotropic else recipe.sigma.path(count, rng)
    angle = np.zeros(count) if isotropic else recipe.angle.path(count, rng)
    if kind.startswith("plateau"):
        shape, betas = kernels.plateau, recipe.beta_plateau.path(count, rng)
    else:
        shape = kernels.gaussian
        betas = recipe.beta_generalized.path(count, rng) if kind.startswith("generalized") else np.ones(count)
    return [
        kernels.apply(f, shape(size, sx, sy, a, b))
        for f, sx, sy, a, b in zip(clip, sigma_x, sigma_y, angle, betas, strict=True)
    ]


def _resize(clip: Clip, recipe: ResizeRecipe, rng: np.random.Generator) -> Clip:
    """Scale by a walking factor, relative to the clip's current size, to even sides."""
    up, down, keep = recipe.up_down_keep
    choice = rng.choice(3, p=(up, down, keep))
    if choice == 2:
        return clip
    low, high = (1.0, recipe.scale.high) if choice == 0 else (recipe.scale.low, 1.0)
    factors = type(recipe.scale)(low, high, recipe.scale.step).path(len(clip), rng)
    interpolation = INTERPOLATIONS[rng.integers(3)]
    height, width = clip[0].shape[:2]
    sizes = [(2 * max(round(width * f / 2), 1), 2 * max(round(height * f / 2), 1)) for f in factors]
    return [cv2.resize(frame, size, interpolation=interpolation) for frame, size in zip(clip, sizes, strict=True)]


def _noise(clip: Clip, recipe: NoiseRecipe, rng: np.random.Generator) -> Clip:
    gaussian = rng.random() < recipe.gaussian_share
    grey = rng.random() < recipe.grey_share
    levels = (recipe.gaussian_sigma if gaussian else recipe.poisson_scale).path(len(clip), rng)
    add = _gaussian_noise if gaussian else _poisson_noise
    return [add(frame, level, grey, rng) for frame, level in zip(clip, levels, strict=True)]


def _gaussian_noise(frame: np.ndarray, sigma: float, grey: bool, rng: np.random.Generator) -> np.ndarray:
    shape = (*frame.shape[:2], 1 if grey else 3)
    return np.clip(frame + sigma * rng.standard_normal(shape, dtype=np.float32), 0, 255)


def _poisson_noise(frame: np.ndarray, scale: float, grey: bool, rng: np.random.Generator) -> np.ndarray:
    """Add shot noise: `scale` times the deviation of Poisson counts from the 8-bit picture."""
    clean = _u8(frame).astype(np.float32) / 255
    if grey:
        clean = cv2.cvtColor(clean, cv2.COLOR_RGB2GRAY)[..., None]
    levels = 2.0 ** np.ceil(np.log2(max(len(np.unique(_u8(frame))), 2)))
    deviation = rng.poisson(clean * levels).astype(np.float32) / levels - clean
    return np.clip(frame + 255 * scale * deviation, 0, 255).astype(np.float32)


def _jpeg(clip: Clip, stage: Stage, rng: np.random.Generator) -> Clip:
    qualities = stage.jpeg_quality.path(len(clip), rng)
    out = []
    for frame, quality in zip(clip, qualities, strict=True):
        _, data = cv2.imencode(".jpg", _u8(frame)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
        out.append(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].astype(np.float32))
    return out


def _u8(frame: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(frame), 0, 255).astype(np.uint8)
