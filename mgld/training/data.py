"""Training clips on the fly: crop, move, degrade, in worker processes; sample i depends on (seed, i) alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from mgld.canvas import enlarged, from_bytes, from_u8
from mgld.constants import SCALE
from mgld.degrade import degrade, kernels
from mgld.degrade.mild import degrade_mildly
from mgld.flow import flow_both_ways
from mgld.flow.dis import Dis
from mgld.flow.temporal_filter import averaging
from mgld.training import ranks, refusals
from mgld.training.corpus import Corpus
from mgld.training.motion import MovingClip, blob_layer, camera_path, move

REAL_SHARE = 0.4  # of clips; the others are photographs along camera paths
FRONT_SHARE = 0.4  # of moved photographs get a second layer in front
MILD_SHARE = 0.3  # of samples are degraded as decent web video is, so that a clean clip is left as it is
SOFT_SHARE = 0.25  # of samples are soft already in the truth: what is soft must stay soft
ENLARGED_SHARE = 0.35  # of those were once enlarged, and coded before; the others are out of focus
SOFT_PX = (1.0, 8.0)  # deviation of that blur
LENS_SHARE = 0.5  # of the blurs are a lens' disc, whose radius is twice its deviation; the others Gaussian
ENLARGED = (2.0, 4.5)  # how much
ENLARGED_QUALITY = (50, 98)  # of JPEG at the small size
CODED_SHARE = 0.45  # of stills are one frame of a degraded clip, whose first frame a codec treats as no other
CODED_FRAMES = 5
AVERAGED_SHARE = 0.75  # of these, and of clips, are averaged along the motion, as MGLD's networks see them
WORKER_NICENESS = 5  # the thread that launches work on a GPU must never wait for a core
DENSEST = 0.5  # photographs are shrunk by a factor between this and 1, so that crops are rich in detail

Sample = tuple[Tensor, ...]


@dataclass(frozen=True)
class Recipe:
    """What a training sample is: clips of `frames` squares of side_px, with their LQ twin or without.

    averaged=True adds what averaging along the motion adds to the enlarged twin, nothing now and then.
    """

    frames: int
    side_px: int
    with_lq: bool = True
    averaged: bool = False
    split: str = "train"


class Clips(IterableDataset):
    """Endless samples (see `sample`): number `start`, and every `step`-th one from there."""

    def __init__(self, corpus: Path, recipe: Recipe, seed: int, start: int = 0, step: int = 1) -> None:
        self.corpus_folder, self.recipe, self.seed, self.start, self.step = corpus, recipe, seed, start, step

    def __iter__(self) -> Iterator[Sample]:
        cv2.setNumThreads(1)
        info = get_worker_info()
        first, stride = (info.id, info.num_workers) if info else (0, 1)
        corpus = Corpus(self.corpus_folder)
        number = self.start + first * self.step
        while True:
            yield sample(corpus, self.recipe, np.random.default_rng([self.seed, number]))
            number += stride * self.step


def sample(corpus: Corpus, recipe: Recipe, rng: np.random.Generator) -> Sample:
    """Return one (hq u8 [T,3,S,S], lq u8 [T,3,S/4,S/4]); lq is empty when the recipe wants none.

    Where the recipe is averaged, third: averaging (float16, [T,3,S/2,S/2], of [-1,1]), to be added to the enlarged lq.
    """
    coded = recipe.with_lq and recipe.frames == 1 and rng.random() < CODED_SHARE
    hq = _clip(corpus, replace(recipe, frames=CODED_FRAMES) if coded else recipe, rng)
    if rng.random() < 0.5:
        hq = hq[:, :, ::-1]
    frames = [np.ascontiguousarray(f) for f in hq]
    if not recipe.with_lq:
        return _tensor(frames), torch.empty(0)
    if rng.random() < SOFT_SHARE:
        soften = _once_small if rng.random() < ENLARGED_SHARE else _out_of_focus
        frames = soften(frames, rng)
    lq = degrade_mildly(frames, rng) if rng.random() < MILD_SHARE else degrade(frames, rng)
    first = int(rng.integers(CODED_FRAMES)) if coded else 0
    parts = (_tensor(frames), _tensor(lq), *((_averaging(lq, rng),) if recipe.averaged else ()))
    return tuple(part[first : first + recipe.frames] for part in parts)


def _averaging(lq: list[np.ndarray], rng: np.random.Generator) -> Tensor:
    """Return what the temporal filter adds to frames u8 [h,w,3] once they are enlarged, as it does in `stages/condition.py`."""
    height, width = lq[0].shape[:2]
    if len(lq) < 2 or rng.random() >= AVERAGED_SHARE:
        return torch.zeros((len(lq), 3, 2 * height, 2 * width), dtype=torch.float16)
    x = from_u8(np.stack(lq))
    flow_px = flow_both_ways((x + 1) / 2, Dis())
    return averaging(enlarged(x, (SCALE * height, SCALE * width)), flow_px).half()


def _out_of_focus(frames: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    sigma = np.exp(rng.uniform(*np.log(SOFT_PX)))
    if rng.random() < LENS_SHARE:
        return [kernels.apply(f, kernels.disc(2 * sigma)) for f in frames]
    return [cv2.GaussianBlur(f, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101) for f in frames]


def _once_small(frames: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """Return pictures that were shrunk, coded and enlarged again, as much of what is uploaded was."""
    factor, quality = rng.uniform(*ENLARGED), int(rng.integers(*ENLARGED_QUALITY, endpoint=True))
    return [_through_small(f, factor, quality) for f in frames]


def _through_small(frame: np.ndarray, factor: float, quality: int) -> np.ndarray:
    height, width = frame.shape[:2]
    small = cv2.resize(frame, (round(width / factor), round(height / factor)), interpolation=cv2.INTER_AREA)
    coded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.resize(cv2.imdecode(coded, cv2.IMREAD_COLOR), (width, height), interpolation=cv2.INTER_CUBIC)


def _clip(corpus: Corpus, recipe: Recipe, rng: np.random.Generator) -> np.ndarray:
    side, count = recipe.side_px, recipe.frames
    clips = corpus.split(recipe.split, clips=True)
    if count > 1 and clips and rng.random() < REAL_SHARE:
        return _real(corpus.pixels(int(rng.choice(clips))), recipe, rng)
    if count == 1:
        return _square(corpus, recipe.split, side, rng)[None]
    return moving_clip(corpus, recipe, rng).frames


def moving_clip(corpus: Corpus, recipe: Recipe, rng: np.random.Generator) -> MovingClip:
    """Return a photograph along a camera path, now and then with a second layer in front; its flow is known."""
    side, count = recipe.side_px, recipe.frames
    margin = int(side * 1.6)
    photo, front = _square(corpus, recipe.split, margin, rng), None
    if rng.random() < FRONT_SHARE:
        front = blob_layer(_square(corpus, recipe.split, margin, rng), count, side, rng)
    return move(photo, camera_path(count, side, rng), side, front)


def _square(corpus: Corpus, split: str, side: int, rng: np.random.Generator) -> np.ndarray:
    """Cut u8 [side,side,3] out of a photograph."""
    return _cut(_still(corpus, split, rng)[None], side, rng)[0]


def _still(corpus: Corpus, split: str, rng: np.random.Generator) -> np.ndarray:
    """Return u8 [H,W,3]: a photograph, or any frame of a clip where the split has no photograph."""
    stills = corpus.split(split, clips=False)
    if stills:
        return corpus.pixels(int(rng.choice(stills)))[0]
    clips = corpus.split(split, clips=True)
    if not clips:
        raise refusals.split_empty(split)
    frames = corpus.pixels(int(rng.choice(clips)))
    return frames[int(rng.integers(len(frames)))]


def _real(pixels: np.ndarray, recipe: Recipe, rng: np.random.Generator) -> np.ndarray:
    """Cut `frames` neighbours (every second one now and then) out of a real clip."""
    stride = 2 if rng.random() < 0.3 and len(pixels) >= 2 * recipe.frames else 1
    last = max(len(pixels) - stride * (recipe.frames - 1), 1)
    start = int(rng.integers(last))
    chosen = np.minimum(start + stride * np.arange(recipe.frames), len(pixels) - 1)
    return _cut(pixels[chosen], recipe.side_px, rng)


def _cut(frames: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """Cut a random square out of u8 [T,H,W,3], shrunk by a random factor; small pictures are enlarged just enough."""
    height, width = frames.shape[1:3]
    wanted = side / rng.uniform(DENSEST, 1.0)
    window = int(min(wanted, height, width))
    y, x = int(rng.integers(height - window + 1)), int(rng.integers(width - window + 1))
    cut = frames[:, y : y + window, x : x + window]
    if window == side:
        return cut
    interpolation = cv2.INTER_AREA if window > side else cv2.INTER_CUBIC
    return np.stack([cv2.resize(f, (side, side), interpolation=interpolation) for f in cut])


def _tensor(frames: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)


def _serve(worker: int) -> None:
    """Give way to the process that trains, and leave Ctrl-C to it: it ends its workers itself, but a terminal sends it to all."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(WORKER_NICENESS)


def byte_batches(
    corpus: Path, recipe: Recipe, batch: int, seed: int, start: int = 0, workers: int = 1
) -> Iterator[Sample]:
    """Yield stacks of samples, hq u8 [N,T,3,S,S] and so on, endlessly; processes that train together share the numbers out."""
    assert recipe.side_px % SCALE == 0
    clips = Clips(corpus, recipe, seed, start + ranks.rank(), ranks.count())
    # fresh processes: a fork of one whose OpenCV or torch has worker threads can wait for them for ever
    several = {"multiprocessing_context": "spawn", "prefetch_factor": 4, "persistent_workers": True} if workers else {}
    several |= {"worker_init_fn": _serve} if workers else {}
    yield from DataLoader(clips, batch, num_workers=workers, **several)


def batches(
    corpus: Path, recipe: Recipe, batch: int, seed: int, start: int = 0, workers: int = 1
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield byte_batches() in [-1,1]."""
    for hq, lq in byte_batches(corpus, recipe, batch, seed, start, workers):
        yield from_bytes(hq), from_bytes(lq)
