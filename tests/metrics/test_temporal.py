"""Warping error and sharpness of clips whose values are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from mgld.flow import load_flow
from mgld.metrics import temporal


def still(flow_px: tuple[float, float]):
    """Make a flow network that always answers one displacement, and its opposite for the way back."""

    def network(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        pairs = len(a) // 2
        flow = torch.tensor(flow_px).view(1, 2, 1, 1).expand(pairs, 2, *a.shape[-2:])
        return torch.cat((flow, -flow))

    return network


@pytest.fixture
def panning() -> np.ndarray:
    """Make u8 [4,96,128,3]: smooth texture that moves two pixels to the left a frame."""
    wide = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (96, 140, 3), np.uint8), (0, 0), 2)
    return np.stack([wide[:, 2 * i : 2 * i + 128] for i in range(4)])


def test_an_exact_translation_has_no_error(panning):
    motion = temporal.motion_of(panning, still((-2.0, 0.0)))
    assert temporal.warping_errors(panning, motion) == pytest.approx([0, 0, 0], abs=1e-3)
    assert not motion.visible[..., -2:].any()  # came in from outside
    assert motion.visible[..., 2:-3].all()


def test_a_real_network_follows_the_translation(panning):
    followed = temporal.warping_error(
        temporal.warping_errors(panning, temporal.motion_of(panning, load_flow("dis", "cpu")))
    )
    unmoved = temporal.warping_error(temporal.warping_errors(panning, temporal.motion_of(panning, still((0.0, 0.0)))))
    assert followed < 0.2 * unmoved


def test_flicker_is_measured_in_grey_levels():
    grey = np.full((4, 32, 40, 3), 100, np.uint8)
    grey[1::2] += 6
    pairs = temporal.warping_errors(grey, temporal.motion_of(grey, still((0.0, 0.0))))
    assert pairs == pytest.approx([6, 6, 6], abs=1e-3)
    assert temporal.warping_error(pairs) == pytest.approx(6, abs=1e-3)


def test_motion_of_the_truth_judges_the_result(panning):
    flickering = panning.astype(int) // 2
    flickering[1::2] += 10
    motion = temporal.motion_of(panning, still((-2.0, 0.0)))
    assert temporal.warping_error(temporal.warping_errors(flickering.astype(np.uint8), motion)) == pytest.approx(
        10, abs=0.5
    )


def test_nothing_visible_is_no_number(panning):
    motion = temporal.motion_of(panning, still((500.0, 0.0)))
    pairs = temporal.warping_errors(panning, motion)
    assert np.isnan(pairs).all() and temporal.warping_error(pairs) is None


def test_borders_are_set_against_the_inside():
    pairs = [1.0, 1.0, 3.0, 1.0, float("nan")]
    assert temporal.border_ratio(pairs, [3]) == 3
    assert temporal.border_ratio(pairs, []) is None


def test_a_single_frame_has_no_pairs():
    motion = temporal.motion_of(np.zeros((1, 16, 16, 3), np.uint8), still((0.0, 0.0)))
    assert temporal.warping_errors(np.zeros((1, 16, 16, 3), np.uint8), motion) == []


def test_sharpness_of_a_ramp_is_its_slope():
    ramp = np.broadcast_to(np.arange(0, 200, 2, np.uint8)[None, None, :, None], (2, 20, 100, 3)).copy()
    inner = 2 * 2 / 255  # Sobel ÷ 4 spans two pixels, two grey levels each
    assert temporal.sharpness(ramp) == pytest.approx([inner * 98 / 100] * 2, rel=1e-4)  # mirrored ends are flat


def test_blur_lowers_the_sharpness_ratio(panning):
    blurred = np.stack([cv2.GaussianBlur(f, (0, 0), 2) for f in panning])
    assert temporal.sharpness_ratio(panning, panning) == 1
    assert temporal.sharpness_ratio(blurred, panning) < 0.8
    assert temporal.sharpness_ratio(panning, np.zeros_like(panning)) is None


def test_residuals_are_the_picture_behind_the_warping_error(panning):
    flickering = panning.astype(int) // 2
    flickering[1::2] += 10
    motion, clip = temporal.motion_of(panning, still((-2.0, 0.0))), flickering.astype(np.uint8)
    maps = [temporal.residual_of(clip, motion, i) for i in range(len(motion.flow_px))]
    assert [temporal.mean_residual(m) for m in maps] == temporal.warping_errors(clip, motion)
    assert np.isnan(maps[0][:, -2:]).all()  # came in from outside
    assert np.nanmax(np.abs(maps[0] - 10)) <= 1.5


def test_motion_that_is_measured_at_the_inputs_size_is_that_of_the_whole_picture(panning):
    seen = []

    def one_pixel(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        seen.append(a.shape[-2:])
        return torch.ones(len(a), 2, *a.shape[-2:])

    frames = torch.from_numpy(panning).permute(0, 3, 1, 2) / 255
    flow_px = temporal.at_lq_size(one_pixel)(frames[:-1], frames[1:])
    assert seen == [(24, 32)]
    assert flow_px.shape == (3, 2, 96, 128) and (flow_px == 4).all()


def test_flow_that_judges_is_the_same_in_half_precision_to_a_fraction_of_a_pixel(panning):
    frames = torch.from_numpy(panning).permute(0, 3, 1, 2) / 255
    whole = load_flow("spynet", "cpu")
    exact, quick = whole(frames[:-1], frames[1:]), temporal.in_precision(whole, "bfloat16")(frames[:-1], frames[1:])
    assert quick.dtype == torch.float32 and not torch.equal(exact, quick)
    assert (exact - quick).abs().mean() < 0.03
    assert torch.equal(temporal.in_precision(whole, "float32")(frames[:-1], frames[1:]), exact)
