"""The temporal filter: noise goes, what moves stays, and what does not agree is left alone."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mgld.flow.temporal_filter import temporally_filtered
from tests.flow.test_motion import texture

SIDE = 128
NOISE = 0.04


def clip(frames: int, step_px: int = 0) -> Tensor:
    """Return enlarged frames [T,3,128,128] in [-1,1] whose content moves left by step_px enlarged pixels a frame."""
    wide = texture(SIDE, SIDE + step_px * frames) * 2 - 1
    wide = F.interpolate(F.avg_pool2d(wide[None], 4), wide.shape[-2:], mode="bicubic", align_corners=False)[0]
    return torch.stack([wide[:, :, step_px * i : step_px * i + SIDE] for i in range(frames)])


def noisy(x: Tensor) -> Tensor:
    """Add noise of small frames, new in each, enlarged as they are."""
    noise = NOISE * torch.randn(len(x), 3, SIDE // 4, SIDE // 4, generator=torch.Generator().manual_seed(0))
    return x + F.interpolate(noise, x.shape[-2:], mode="bicubic", align_corners=False)


def moved_by(step_px: float, frames: int) -> Tensor:
    """Return the flow both ways of clip(), in small pixels."""
    flow = torch.zeros(2 * (frames - 1), 2, SIDE // 4, SIDE // 4)
    flow[: frames - 1, 0], flow[frames - 1 :, 0] = -step_px / 4, step_px / 4
    return flow


def off(x: Tensor, truth: Tensor) -> float:
    """Return the deviation from the truth, without the margin that comes into view and goes out of it."""
    return float((x - truth)[..., 16:-16].square().mean().sqrt())


@pytest.mark.parametrize("step_px", [0, 4, 6], ids=["still", "one_pixel", "a_pixel_and_a_half"])
def test_noise_falls_with_the_root_of_how_many_frames_show_a_place(step_px):
    truth = clip(8, step_px)
    given = noisy(truth)
    left = off(temporally_filtered(given, moved_by(step_px, 8)), truth) / off(given, truth)
    assert 8**-0.5 * 0.9 < left < 8**-0.5 * 1.2


def test_every_frame_of_a_still_clip_becomes_the_mean_of_all():
    """The two sweeps count each frame once; only how much they agree is not the same everywhere."""
    given = noisy(clip(5))
    filtered = temporally_filtered(given, moved_by(0, 5))
    assert off(filtered, given.mean(0, keepdim=True).expand_as(given)) < 0.2 * off(given, given.mean(0, keepdim=True))


def test_a_clean_clip_stays_as_it_is():
    truth = clip(5, step_px=4)
    assert off(temporally_filtered(truth, moved_by(4, 5)), truth) < 0.004  # half a grey level


def test_what_appears_in_one_frame_stays_there_and_leaves_no_ghost():
    truth = clip(5)
    truth[2, :, 40:80, 40:80] = 1.0
    filtered = temporally_filtered(noisy(truth), moved_by(0, 5))
    inside = (slice(None), slice(48, 72), slice(48, 72))
    assert (filtered[2][inside] - 1).abs().mean() < 0.1
    assert (filtered[1][inside] - truth[1][inside]).abs().mean() < 0.05


def test_where_the_flow_is_wrong_everywhere_frames_stay_apart():
    """Even the typical difference is large then; the limit of what may agree holds."""
    truth = clip(4, step_px=24)
    filtered = temporally_filtered(truth, moved_by(0, 4))
    assert off(filtered, truth) < 0.35 * off(truth.mean(0, keepdim=True).expand_as(truth), truth)


def test_one_frame_has_no_neighbours():
    frame = clip(1)
    assert temporally_filtered(frame, moved_by(0, 1)) is frame


def test_frames_may_be_two_abreast():
    """Both sweeps at once come to what they come to one after the other, to rounding."""
    given = noisy(clip(4, 4))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = temporally_filtered(given, moved_by(4, 4))
        torch.set_num_threads(2)
        torch.testing.assert_close(temporally_filtered(given, moved_by(4, 4)), one, atol=1e-5, rtol=0)
    finally:
        torch.set_num_threads(threads)
