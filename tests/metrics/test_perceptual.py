"""LPIPS and DISTS: no distance between equals, more with more blur; left out where the weights are absent."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from mgld import host
from mgld.errors import UserError
from mgld.metrics import perceptual, stored
from mgld.metrics.vgg import Perceptual, load_perceptual


@pytest.fixture
def textured() -> np.ndarray:
    return cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8), (0, 0), 1)[None]


def blurred(clip_u8: np.ndarray, sigma: float) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in clip_u8])


@pytest.mark.skipif(not stored.VGG.path.exists(), reason="LPIPS weights are not on this machine")
def test_lpips_grows_with_blur(textured):
    net = load_perceptual("cpu")
    equal, near, far = (
        perceptual.lpips(x, textured, net) for x in (textured, blurred(textured, 1), blurred(textured, 4))
    )
    assert equal == 0 < near < far < 1.5


@pytest.mark.skipif(not stored.ALEX.path.exists(), reason="no AlexNet weights here")
def test_lpips_on_alexnet_grows_with_blur(textured):
    net = perceptual.load_alex("cpu")
    equal, near, far = (
        perceptual.lpips(x, textured, net) for x in (textured, blurred(textured, 1), blurred(textured, 4))
    )
    assert equal == 0 < near < far < 1.5


@pytest.mark.skipif(not all(file.path.exists() for file in (stored.VGG, stored.DISTS)), reason="no DISTS weights here")
def test_dists_grows_with_blur(textured):
    net = perceptual.load_dists("cpu")
    equal, near, far = (
        perceptual.dists(x, textured, net) for x in (textured, blurred(textured, 1), blurred(textured, 4))
    )
    assert equal == pytest.approx(0, abs=1e-5) and 0.01 < near < far < 1


def test_dists_of_known_maps_without_weights():
    """Only the picture's own three channels count here: DISTS is then one minus its likeness, by hand."""
    net = perceptual.Dists(Perceptual())
    net.alpha.data[:3] = 1
    a, b = torch.full((1, 3, 32, 32), 0.2), torch.full((1, 3, 32, 32), 0.4)
    assert net(a, b).item() == pytest.approx(1 - 2 * 0.2 * 0.4 / (0.2**2 + 0.4**2), abs=1e-4)
    net.alpha.data[:3], net.beta.data[:3] = 0, 1
    wave = torch.sin(torch.arange(32) * torch.pi / 4).expand(1, 3, 32, 32) / 4
    assert net(0.5 + wave, 0.5 - wave).item() == pytest.approx(2, abs=1e-3)  # opposite structure


def test_absent_weights_say_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setattr(host, "CACHE", tmp_path)
    with pytest.raises(UserError, match="convert dists"):
        perceptual.load_dists("cpu")
