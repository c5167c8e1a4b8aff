"""What training samples are: shares of mild, soft and coded ones, and numbers that decide all of it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mgld.canvas import enlarged, from_bytes
from mgld.flow.temporal_filter import averaged
from mgld.training import data
from mgld.training.corpus import Corpus, pack_corpus


@pytest.fixture
def corpus(tmp_path, monkeypatch) -> Corpus:
    monkeypatch.setattr("mgld.host.CACHE", tmp_path / "cache")
    rng = np.random.default_rng(0)
    for name in "abc":
        picture = cv2.resize(rng.integers(0, 256, (60, 80, 3), np.uint8), (240, 180), interpolation=cv2.INTER_NEAREST)
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
    pack_corpus([tmp_path], tmp_path / "corpus")
    return Corpus(tmp_path / "corpus")


def samples(corpus: Corpus, recipe: data.Recipe, count: int) -> list[data.Sample]:
    return [data.sample(corpus, recipe, np.random.default_rng([5, i])) for i in range(count)]


@pytest.mark.parametrize("frames", [1, 4])
def test_a_sample_has_the_recipes_frames_and_sides(corpus, frames):
    for hq, lq in samples(corpus, data.Recipe(frames, 64), 6):
        assert hq.shape == (frames, 3, 64, 64) and lq.shape == (frames, 3, 16, 16)
        assert hq.dtype == lq.dtype == torch.uint8


def test_a_number_decides_its_sample(corpus):
    one, two = (samples(corpus, data.Recipe(1, 64), 8) for _ in range(2))
    for (hq, lq), (same_hq, same_lq) in zip(one, two, strict=True):
        assert torch.equal(hq, same_hq) and torch.equal(lq, same_lq)


def test_three_in_ten_are_degraded_mildly(corpus, monkeypatch):
    mild = []
    monkeypatch.setattr(data, "degrade", lambda frames, rng: [f[::4, ::4] for f in frames])
    monkeypatch.setattr(data, "degrade_mildly", lambda frames, rng: mild.append(1) or [f[::4, ::4] for f in frames])
    samples(corpus, data.Recipe(1, 64), 300)
    assert len(mild) / 300 == pytest.approx(data.MILD_SHARE, abs=0.06)


@pytest.mark.parametrize(("enlarged", "lens"), [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0)])
def test_what_is_soft_is_so_in_the_truth(corpus, monkeypatch, enlarged, lens):
    monkeypatch.setattr(data, "degrade", lambda frames, rng: [f[::4, ::4] for f in frames])
    monkeypatch.setattr(data, "MILD_SHARE", 0.0)
    monkeypatch.setattr(data, "ENLARGED_SHARE", enlarged)
    monkeypatch.setattr(data, "LENS_SHARE", lens)

    def sharpness(share: float) -> float:
        monkeypatch.setattr(data, "SOFT_SHARE", share)
        return np.median([hq.float().diff(dim=-1).abs().mean() for hq, _ in samples(corpus, data.Recipe(1, 64), 12)])

    assert sharpness(1.0) < 0.5 * sharpness(0.0)


def test_some_stills_are_later_frames_of_a_degraded_clip(corpus, monkeypatch):
    """A codec's first frame is no other's equal, and a clip has few of them."""
    counts = []
    monkeypatch.setattr(
        data, "degrade", lambda frames, rng: counts.append(len(frames)) or [f[::4, ::4] for f in frames]
    )
    monkeypatch.setattr(data, "MILD_SHARE", 0.0)
    for hq, lq in samples(corpus, data.Recipe(1, 64), 60):
        assert torch.equal(hq[..., ::4, ::4], lq)  # frame and twin are the same one of the clip
    assert set(counts) == {1, data.CODED_FRAMES}
    assert counts.count(data.CODED_FRAMES) / 60 == pytest.approx(data.CODED_SHARE, abs=0.2)


@pytest.mark.parametrize(("frames", "share"), [(1, data.CODED_SHARE * data.AVERAGED_SHARE), (3, data.AVERAGED_SHARE)])
def test_some_samples_are_averaged_along_the_motion_and_are_nearer_to_the_truth(corpus, monkeypatch, frames, share):
    """Degraded by noise alone, which is new in every frame: what the networks are to see of it is what the pipeline shows."""
    monkeypatch.setattr(data, "SOFT_SHARE", 0.0)
    monkeypatch.setattr(data, "MILD_SHARE", 0.0)
    monkeypatch.setattr(data, "degrade", lambda frames, rng: [noisy(f, rng) for f in frames])
    made = samples(corpus, data.Recipe(frames, 64, averaged=True), 200)
    touched = [s for s in made if s[2].any()]
    assert len(touched) / 200 == pytest.approx(share, abs=0.1)
    left, were = [], []
    for hq, lq, averaging in touched:
        small = F.avg_pool2d(from_bytes(hq), 4)
        x, truth = (enlarged(part, (64, 64)) for part in (from_bytes(lq), small))
        left.append((averaged(x, averaging.float()) - truth).square().mean())
        were.append((x - truth).square().mean())
    assert np.mean(left) < 0.9 * np.mean(were)


def noisy(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shrink a frame u8 [S,S,3] to a quarter and add noise."""
    small = cv2.resize(frame, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    return np.clip(small + rng.normal(0, 20, small.shape), 0, 255).astype(np.uint8)
