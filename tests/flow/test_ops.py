"""Flow operations: signs, borders, precision and the occlusion rule."""

from __future__ import annotations

import pytest
import torch

from mgld.flow import ops


def constant(dx: float, dy: float, height: int = 8, width: int = 10) -> torch.Tensor:
    return torch.tensor([dx, dy], dtype=torch.float32).view(1, 2, 1, 1).expand(1, 2, height, width).clone()


def test_warp_reads_at_p_plus_flow() -> None:
    x = torch.rand(1, 3, 8, 10)
    warped = ops.warp(x, constant(2, 1))
    torch.testing.assert_close(warped[..., :-1, :-2], x[..., 1:, 2:])
    assert not warped[..., -1, :].any()


def test_border_padding_repeats_the_edge() -> None:
    x = torch.rand(1, 3, 8, 10)
    torch.testing.assert_close(ops.warp(x, constant(100, 0), "border"), x[..., -1:].expand_as(x))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_keeps_the_grid_exact(dtype: torch.dtype) -> None:
    x = (torch.arange(3000) % 7).to(dtype).expand(1, 1, 2, 3000)
    warped = ops.warp(x, constant(1, 0, 2, 3000).to(dtype), "border")
    assert warped.dtype == dtype
    torch.testing.assert_close(warped[..., :-1], x[..., 1:], atol=0.05, rtol=0)


def test_warp_lets_gradients_through() -> None:
    x = torch.rand(1, 1, 8, 10, requires_grad=True)
    ops.warp(x, constant(0.5, 0.5)).sum().backward()
    assert x.grad.abs().sum() > 0


def test_one_pixel_wide_is_finite() -> None:
    assert ops.warp(torch.rand(1, 1, 1, 1), constant(0, 0, 1, 1)).isfinite().all()


def test_in_bounds_marks_what_leaves() -> None:
    inside = ops.in_bounds(constant(3, 0))[0, 0]
    assert inside[:, :7].all() and not inside[:, 7:].any()


def test_resize_scales_each_axis_by_itself() -> None:
    resized = ops.resize_flow(constant(4, 4, 8, 10), (4, 30))
    assert resized.shape == (1, 2, 4, 30)
    torch.testing.assert_close(resized, constant(12, 2, 4, 30))


def test_consistent_motion_is_visible_where_it_stays_inside() -> None:
    on_a, on_b = ops.occlusion(constant(3, 0), constant(-3, 0))
    # beyond the border the other flow reads as zero, so 3 px disagree: what leaves the frame counts as hidden
    assert not on_a[..., :7].any() and on_a[..., 7:].all()
    assert not on_b[..., 3:].any() and on_b[..., :3].all()


def test_half_a_pixel_is_tolerated_and_the_norms_are_not_squared() -> None:
    still = constant(0, 0)
    assert not ops.occlusion(still + 0.34, still)[0].any()  # |d| = 0.481 < 0.5 + 0.01·0.481
    assert ops.occlusion(still + 0.4, still)[0].any()  # |d| = 0.566; its square 0.32 would pass
