"""Known motion is known exactly: warping with it gives the neighbour."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from mgld.flow.ops import warp
from mgld.training.motion import blob_layer, camera_path, move


def photo(side: int = 128, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 4), None, 0, 255, cv2.NORM_MINMAX)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("two_layers", [False, True])
def test_warping_with_the_flow_gives_the_neighbour(seed, two_layers):
    rng = np.random.default_rng(seed)
    front = blob_layer(photo(seed=9), 4, 64, rng) if two_layers else None
    clip = move(photo(), camera_path(4, 64, rng), 64, front)
    frames = torch.from_numpy(clip.frames).permute(0, 3, 1, 2).float()
    for source, target, flow, seen in (
        (frames[1:], frames[:-1], clip.to_next, clip.visible_in_next),
        (frames[:-1], frames[1:], clip.to_previous, clip.visible_in_previous),
    ):
        seen = torch.from_numpy(cv2.erode(seen[:, 0].transpose(1, 2, 0), np.ones((7, 7))).reshape(64, 64, -1)).permute(
            2, 0, 1
        )[:, None]
        error = (warp(source, torch.from_numpy(flow)) - target).abs() * seen
        assert error.sum() / seen.sum() / 3 < 2.5


def test_a_still_camera_has_no_flow():
    clip = move(photo(), [np.eye(3)] * 3, 64)
    assert np.abs(clip.to_next).max() == 0 and clip.visible_in_next.min() == 1
    assert np.array_equal(clip.frames[0], clip.frames[2])


def test_one_frame_has_empty_flow():
    clip = move(photo(), [np.eye(3)], 64)
    assert clip.to_next.shape == (0, 2, 64, 64)
