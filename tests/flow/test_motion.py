"""Motion of a segment: order, direction, grid and empty segments."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from mgld.flow import Motion, estimate_motion, load_flow, ops


def texture(height: int, width: int) -> Tensor:
    """Return a smooth random picture [3,H,W] in [0,1]."""
    noise = np.random.default_rng(0).random((height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.5)
    return torch.from_numpy((smooth - smooth.min()) / np.ptp(smooth)).permute(2, 0, 1)


def sliding(frames: int, height: int, width: int, step: int) -> Tensor:
    """Return a clip whose content moves left by step pixels a frame."""
    wide = texture(height, width + step * frames)
    return torch.stack([wide[..., step * i : step * i + width] for i in range(frames)])


class Recorder:
    """A flow network that says each pair's first pixels as its flow."""

    calls = 0

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        self.calls += 1
        return torch.stack((a[:, 0], b[:, 0]), 1)


def test_pairs_and_directions() -> None:
    clip = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 8, 8)
    recorder = Recorder()
    motion = estimate_motion(clip, recorder, (8, 8))
    assert recorder.calls == 1
    assert motion.to_next[:, :, 0, 0].tolist() == [[0, 1], [1, 2], [2, 3]]
    assert motion.to_previous[:, :, 0, 0].tolist() == [[1, 0], [2, 1], [3, 2]]


def test_one_frame_gives_empty_tensors_without_asking_the_network() -> None:
    motion = estimate_motion(torch.rand(1, 3, 16, 24), Recorder(), (2, 3))
    assert [tuple(x.shape) for x in motion] == [(0, 2, 2, 3), (0, 2, 2, 3), (0, 1, 2, 3), (0, 1, 2, 3)]
    assert Motion._fields == ("to_next", "to_previous", "visible_in_next", "visible_in_previous")


def test_known_shift_on_the_latent_grid() -> None:
    motion = estimate_motion(sliding(3, 96, 160, 4), load_flow("dis", "cpu"), (24, 40))
    inner = motion.to_next[..., 4:-4, 6:-6]
    assert (inner[:, 0] + 1).abs().mean() < 0.05 and inner[:, 1].abs().mean() < 0.05
    assert (motion.to_previous[:, 0, 4:-4, 6:-6] - 1).abs().mean() < 0.05
    assert motion.visible_in_next[..., 4:-4, 6:-6].mean() > 0.98


def test_visibility_follows_the_occlusion_of_each_grid() -> None:
    motion = estimate_motion(sliding(2, 64, 64, 8), load_flow("dis", "cpu"), (64, 64))
    hidden_in_next, hidden_in_previous = ops.occlusion(motion.to_next, motion.to_previous)
    assert torch.equal(motion.visible_in_next, 1 - hidden_in_next)
    assert torch.equal(motion.visible_in_previous, 1 - hidden_in_previous)


def test_motion_carries_no_gradient() -> None:
    clip = torch.rand(2, 3, 16, 16, requires_grad=True)
    assert not any(x.requires_grad for x in estimate_motion(clip, load_flow("dis", "cpu"), (2, 2)))


@pytest.mark.parametrize("size_hw", [(16, 16), (16, 40), (33, 17)])
def test_dis_takes_tiny_frames(size_hw: tuple[int, int]) -> None:
    clip = sliding(2, *size_hw, 1)
    flow_px = load_flow("dis", "cpu")(clip[:1], clip[1:])
    assert flow_px.shape == (1, 2, *size_hw)
    assert (flow_px[:, 0].median() + 1).abs() < 0.3


def test_dis_takes_black_frames() -> None:
    assert load_flow("dis", "cpu")(torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 64, 64)).abs().max() == 0
