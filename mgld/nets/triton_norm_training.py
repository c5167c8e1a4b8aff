"""Group normalisation (with SiLU) that learns, in Triton kernels on channels-last memory: four passes, not a dozen.

PyTorch's own copies to another layout and back on the way forth and on the way back, and autocast makes it compute in float32.
With u = a·x + b per frame and channel, a = w/σ, b = β - μ·a, y = SiLU(u) or u:
∂x = a·∂u + k₁·x + k₀, where k₁, k₀ [N,G] follow from Σ∂u and Σ∂u·x over each group.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from mgld.nets import triton_norm
from mgld.nets.triton_norm import ROWS, SPLITS_AT_ONCE, WARPS, _joined


@triton.jit
def _statistics(
    mean_ptr, square_ptr, weight_ptr, bias_ptr, scale_ptr, shift_ptr, centre_ptr, inverse_ptr,
    pixels, channels, splits, chunk, eps,
    PER_GROUP: tl.constexpr, SPLITS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """Join the partial moments of one group of one frame; write μ and 1/σ of the group, a and b of its channels."""
    group, frame = tl.program_id(0), tl.program_id(1)
    j = tl.arange(0, WIDTH)
    mine = j < PER_GROUP
    c = group * PER_GROUP + j
    centre, variance = _joined(
        mean_ptr, square_ptr, frame, c, mine, tl.zeros([WIDTH], tl.float32), pixels, channels, splits, chunk,
        PER_GROUP, SPLITS, WIDTH,
    )  # fmt: skip
    inverse = 1 / tl.sqrt(variance + eps)
    scale = tl.load(weight_ptr + c, mask=mine, other=0.0).to(tl.float32) * inverse
    shift = tl.load(bias_ptr + c, mask=mine, other=0.0).to(tl.float32) - centre * scale
    tl.store(scale_ptr + frame * channels + c, scale, mask=mine)
    tl.store(shift_ptr + frame * channels + c, shift, mask=mine)
    at = frame * tl.num_programs(0) + group
    tl.store(centre_ptr + at, centre)
    tl.store(inverse_ptr + at, inverse)


@triton.jit
def _before_silu(dy, x, scale, shift, SILU: tl.constexpr):
    """Return ∂u, given ∂y of a tile."""
    if SILU:
        u = x * scale[None, :] + shift[None, :]
        s = tl.sigmoid(u)
        dy = dy * s * (1 + u * (1 - s))
    return dy


@triton.jit
def _sums(
    x_ptr, dy_ptr, scale_ptr, shift_ptr, du_ptr, dux_ptr, pixels, channels, chunk,
    SILU: tl.constexpr, ROWS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """Write Σ∂u and Σ∂u·x of each channel over one chunk of one frame's pixels."""
    split, frame = tl.program_id(0), tl.program_id(2)
    c = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    known = c < channels
    first = split * chunk
    last = tl.minimum(first + chunk, pixels)
    base = frame.to(tl.int64) * pixels * channels
    scale = tl.load(scale_ptr + frame * channels + c, mask=known, other=0.0)
    shift = tl.load(shift_ptr + frame * channels + c, mask=known, other=0.0)
    plain = tl.zeros([ROWS, WIDTH], tl.float32)
    times = tl.zeros([ROWS, WIDTH], tl.float32)
    for start in range(first, last, ROWS):
        p = start + tl.arange(0, ROWS)
        inside = (p < last)[:, None] & known[None, :]
        at = base + (p[:, None] * channels + c[None, :])
        x = tl.load(x_ptr + at, mask=inside, other=0.0).to(tl.float32)
        du = _before_silu(tl.load(dy_ptr + at, mask=inside, other=0.0).to(tl.float32), x, scale, shift, SILU)
        plain += du
        times += du * x
    at = (frame * tl.num_programs(0) + split) * channels + c
    tl.store(du_ptr + at, tl.sum(plain, axis=0), mask=known)
    tl.store(dux_ptr + at, tl.sum(times, axis=0), mask=known)


@triton.jit
def _slopes(
    du_ptr, dux_ptr, weight_ptr, centre_ptr, inverse_ptr, dw_ptr, db_ptr, k1_ptr, k0_ptr,
    pixels, channels, splits, PER_GROUP: tl.constexpr, SPLITS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """Join the partial sums of one group of one frame; write ∂w, ∂β of this frame, and k₁, k₀ of its channels."""
    group, frame = tl.program_id(0), tl.program_id(1)
    j = tl.arange(0, WIDTH)
    mine = j < PER_GROUP
    c = group * PER_GROUP + j
    plain = tl.zeros([SPLITS, WIDTH], tl.float32)
    times = tl.zeros([SPLITS, WIDTH], tl.float32)
    for start in range(0, splits, SPLITS):
        s = start + tl.arange(0, SPLITS)
        inside = (s < splits)[:, None] & mine[None, :]
        at = (frame * splits + s)[:, None] * channels + c[None, :]
        plain += tl.load(du_ptr + at, mask=inside, other=0.0)
        times += tl.load(dux_ptr + at, mask=inside, other=0.0)
    du, dux = tl.sum(plain, axis=0), tl.sum(times, axis=0)
    at = frame * tl.num_programs(0) + group
    centre, inverse = tl.load(centre_ptr + at), tl.load(inverse_ptr + at)
    dw = inverse * (dux - centre * du)  # Σ∂u·x̂
    weight = tl.load(weight_ptr + c, mask=mine, other=0.0).to(tl.float32)
    elements = pixels * (PER_GROUP * 1.0)
    of_one, of_x = tl.sum(weight * du, axis=0) / elements, tl.sum(weight * dw, axis=0) / elements
    zero = tl.zeros([WIDTH], tl.float32)
    tl.store(dw_ptr + frame * channels + c, dw, mask=mine)
    tl.store(db_ptr + frame * channels + c, du, mask=mine)
    tl.store(k1_ptr + frame * channels + c, zero - inverse * inverse * of_x, mask=mine)
    tl.store(k0_ptr + frame * channels + c, zero + inverse * (inverse * centre * of_x - of_one), mask=mine)


@triton.jit
def _back(
    x_ptr, dy_ptr, dx_ptr, scale_ptr, shift_ptr, k1_ptr, k0_ptr, pixels, channels,
    SILU: tl.constexpr, ROWS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """Write ∂x of one tile."""
    frame = tl.program_id(2)
    p = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    c = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    known = c < channels
    inside = (p < pixels)[:, None] & known[None, :]
    at = frame.to(tl.int64) * pixels * channels + (p[:, None] * channels + c[None, :])
    row = frame * channels + c
    scale = tl.load(scale_ptr + row, mask=known, other=0.0)
    shift = tl.load(shift_ptr + row, mask=known, other=0.0)
    k1 = tl.load(k1_ptr + row, mask=known, other=0.0)
    k0 = tl.load(k0_ptr + row, mask=known, other=0.0)
    x = tl.load(x_ptr + at, mask=inside, other=0.0).to(tl.float32)
    du = _before_silu(tl.load(dy_ptr + at, mask=inside, other=0.0).to(tl.float32), x, scale, shift, SILU)
    dx = scale[None, :] * du + k1[None, :] * x + k0[None, :]
    tl.store(dx_ptr + at, dx.to(dx_ptr.dtype.element_ty), mask=inside)


class GroupNormSiLU(torch.autograd.Function):
    """SiLU(group_norm(x)), or the norm alone, with gradients."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool) -> Tensor:
        """Return y for x [N,C,h,w], channels-last, in x's precision; weight and bias [C]."""
        n, channels, pixels = x.shape[0], x.shape[1], x.shape[2] * x.shape[3]
        width = triton_norm._width(channels)
        blocks = triton.cdiv(channels, width)
        splits, chunk = triton_norm._split(n, pixels, blocks)
        partial = torch.empty((2, n, splits, channels), dtype=torch.float32, device=x.device)
        scale, shift = torch.empty((2, n, channels), dtype=torch.float32, device=x.device)
        centre, inverse = torch.empty((2, n, groups), dtype=torch.float32, device=x.device)
        with torch.cuda.device_of(x):
            triton_norm._moments[splits, blocks, n](
                x, partial[0], partial[1], pixels, channels, chunk, ROWS=ROWS, WIDTH=width, num_warps=WARPS
            )
            _statistics[groups, n](
                partial[0], partial[1], weight, bias, scale, shift, centre, inverse, pixels, channels, splits, chunk, eps,
                PER_GROUP=channels // groups, SPLITS=SPLITS_AT_ONCE,
                WIDTH=triton.next_power_of_2(channels // groups), num_warps=WARPS,
            )  # fmt: skip
        ctx.save_for_backward(x, weight, scale, shift, centre, inverse)
        ctx.silu = silu
        return triton_norm._streamed(x, scale, shift, channels, silu, None, None)

    @staticmethod
    def backward(ctx, dy: Tensor):
        """Return the gradients of x, weight and bias."""
        x, weight, scale, shift, centre, inverse = ctx.saved_tensors
        n, channels, pixels = x.shape[0], x.shape[1], x.shape[2] * x.shape[3]
        groups, width, dy = centre.shape[1], triton_norm._width(channels), triton_norm._dense(dy)
        blocks = triton.cdiv(channels, width)
        splits, chunk = triton_norm._split(n, pixels, blocks)
        du, dux = torch.empty((2, n, splits, channels), dtype=torch.float32, device=x.device)
        dw, db, k1, k0 = torch.empty((4, n, channels), dtype=torch.float32, device=x.device)
        dx = torch.empty_like(x)
        with torch.cuda.device_of(x):
            _sums[splits, blocks, n](
                x, dy, scale, shift, du, dux, pixels, channels, chunk,
                SILU=ctx.silu, ROWS=ROWS, WIDTH=width, num_warps=WARPS,
            )  # fmt: skip
            _slopes[groups, n](
                du, dux, weight, centre, inverse, dw, db, k1, k0, pixels, channels, splits,
                PER_GROUP=channels // groups, SPLITS=SPLITS_AT_ONCE,
                WIDTH=triton.next_power_of_2(channels // groups), num_warps=WARPS,
            )  # fmt: skip
            _back[triton.cdiv(pixels, ROWS), blocks, n](
                x,
                dy,
                dx,
                scale,
                shift,
                k1,
                k0,
                pixels,
                channels,
                SILU=ctx.silu,
                ROWS=ROWS,
                WIDTH=width,
                num_warps=WARPS,
            )
        return dx, dw.sum(0).to(weight.dtype), db.sum(0).to(weight.dtype), None, None, None


def group_norm(x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float, silu: bool) -> Tensor:
    """Return SiLU(group_norm(x)), or the norm alone, of x [N,C,h,w], with gradients; the result is channels-last.

    Under autocast it computes on, and returns, autocast's precision; float32 inside. Weights stay in float32.
    """
    dtype = torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else x.dtype
    return GroupNormSiLU.apply(triton_norm._dense(x.to(dtype)), weight, bias, groups, eps, silu)
