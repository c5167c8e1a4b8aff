"""Triton kernels for what stands between convolutions and matrix products, on channels-last memory.

Group normalisation takes three launches: partial moments with enough programs to fill the chip, one scale and shift per frame and
channel, one streaming pass that applies them together with SiLU, the SFT maps and the skip. What is added to whole channels in
front of the norm (a convolution's bias, the time embedding) only moves the moments, so it costs nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

PROGRAMS = 1024  # of the first pass: several for each multiprocessor of a large GPU
ROWS, SPLITS_AT_ONCE = 32, 16  # of a tile
WIDEST = 128  # channels of a tile
WARPS = 4


class Modulation(NamedTuple):
    """The two maps of SFT [N,C,h,w] without their convolutions' biases, and these [C]."""

    gamma: Tensor
    beta: Tensor
    gamma_bias: Tensor
    beta_bias: Tensor


class Skip(NamedTuple):
    """What is added at the end [N,C,h,w], without the bias [C] of the convolution that made it, if one did."""

    x: Tensor
    bias: Tensor | None


@triton.jit(do_not_specialize=["pixels", "chunk"])
def _moments(x_ptr, mean_ptr, square_ptr, pixels, channels, chunk, ROWS: tl.constexpr, WIDTH: tl.constexpr):
    """Write mean and sum of squared deviations of each channel over one chunk of one frame's pixels."""
    split, frame = tl.program_id(0), tl.program_id(2)
    c = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    x_ptr += frame.to(tl.int64) * pixels * channels
    first = split * chunk
    last = tl.minimum(first + chunk, pixels)
    # Deviations from one pixel's values: sums of plain squares would lose a small variance beside a large mean.
    origin = tl.load(x_ptr + first * channels + c, mask=c < channels, other=0.0).to(tl.float32)
    sums = tl.zeros([ROWS, WIDTH], tl.float32)
    squares = tl.zeros([ROWS, WIDTH], tl.float32)
    for start in range(first, last, ROWS):
        p = start + tl.arange(0, ROWS)
        inside = (p < last)[:, None] & (c < channels)[None, :]
        x = tl.load(x_ptr + p[:, None] * channels + c[None, :], mask=inside, other=0.0).to(tl.float32)
        deviation = tl.where(inside, x - origin[None, :], 0.0)
        sums += deviation
        squares += deviation * deviation
    count = (last - first).to(tl.float32)
    total = tl.sum(sums, axis=0)
    at = (frame * tl.num_programs(0) + split) * channels + c
    tl.store(mean_ptr + at, origin + total / count, mask=c < channels)
    tl.store(square_ptr + at, tl.sum(squares, axis=0) - total * total / count, mask=c < channels)


@triton.jit
def _joined(
    mean_ptr, square_ptr, frame, c, mine, added, pixels, channels, splits, chunk,
    per_group, SPLITS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """Return mean and variance of one group of one frame from its channels' partial moments; `added` is what each gains first."""
    elements = pixels * (per_group * 1.0)
    sums = tl.zeros([SPLITS, WIDTH], tl.float32)
    for start in range(0, splits, SPLITS):
        s = start + tl.arange(0, SPLITS)
        inside = (s < splits)[:, None] & mine[None, :]
        count = tl.minimum(pixels - s * chunk, chunk).to(tl.float32)
        mean = tl.load(mean_ptr + (frame * splits + s)[:, None] * channels + c[None, :], mask=inside, other=0.0)
        sums += tl.where(inside, count[:, None] * (mean + added[None, :]), 0.0)
    centre = tl.sum(tl.sum(sums, axis=1), axis=0) / elements
    squares = tl.zeros([SPLITS, WIDTH], tl.float32)
    for start in range(0, splits, SPLITS):
        s = start + tl.arange(0, SPLITS)
        inside = (s < splits)[:, None] & mine[None, :]
        count = tl.minimum(pixels - s * chunk, chunk).to(tl.float32)
        at = (frame * splits + s)[:, None] * channels + c[None, :]
        apart = tl.load(mean_ptr + at, mask=inside, other=0.0) + added[None, :] - centre
        own = tl.load(square_ptr + at, mask=inside, other=0.0)
        squares += tl.where(inside, own + count[:, None] * apart * apart, 0.0)
    return centre, tl.sum(tl.sum(squares, axis=1), axis=0) / elements


@triton.jit(do_not_specialize=["pixels", "splits", "chunk", "offset_stride", "per_group", "biased", "moved"])
def _coefficients(
    mean_ptr, square_ptr, weight_ptr, bias_ptr, conv_bias_ptr, offset_ptr, scale_ptr, shift_ptr,
    pixels, channels, splits, chunk, offset_stride, eps, per_group, biased, moved,
    SPLITS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """Join the partial moments of one group of one frame; write what its channels are multiplied by and what is added.

    biased and moved are 1 where there is a convolution's bias and an offset: arguments, since every constant is compiled anew.
    """
    frame = tl.program_id(1)
    j = tl.arange(0, WIDTH)
    mine = j < per_group
    c = tl.program_id(0) * per_group + j
    added = tl.load(conv_bias_ptr + c, mask=j < per_group * biased, other=0.0).to(tl.float32)
    added += tl.load(offset_ptr + frame * offset_stride + c, mask=j < per_group * moved, other=0.0).to(tl.float32)
    centre, variance = _joined(
        mean_ptr, square_ptr, frame, c, mine, added, pixels, channels, splits, chunk, per_group, SPLITS, WIDTH
    )
    scale = tl.load(weight_ptr + c, mask=mine, other=0.0).to(tl.float32) / tl.sqrt(variance + eps)
    shift = tl.load(bias_ptr + c, mask=mine, other=0.0).to(tl.float32) + (added - centre) * scale
    tl.store(scale_ptr + frame * channels + c, scale, mask=mine)
    tl.store(shift_ptr + frame * channels + c, shift, mask=mine)


@triton.jit(do_not_specialize=["pixels"])
def _stream(
    x_ptr, y_ptr, scale_ptr, shift_ptr, gamma_ptr, beta_ptr, gamma_bias_ptr, beta_bias_ptr, skip_ptr, skip_bias_ptr,
    pixels, channels, frame_stride,
    SCALED: tl.constexpr, SILU: tl.constexpr, MODULATED: tl.constexpr, SKIP: tl.constexpr, SKIP_BIAS: tl.constexpr,
    ROWS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """Write skip + SFT(SiLU(scale·x + shift)) of one tile, each part where it is asked for."""
    frame = tl.program_id(2)
    p = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    c = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    known = c < channels
    inside = (p < pixels)[:, None] & known[None, :]
    at = frame.to(tl.int64) * pixels * channels + (p[:, None] * channels + c[None, :])
    y = tl.load(x_ptr + at, mask=inside, other=0.0).to(tl.float32)
    if SCALED:
        y *= tl.load(scale_ptr + frame * frame_stride + c, mask=known, other=0.0).to(tl.float32)[None, :]
    y += tl.load(shift_ptr + frame * frame_stride + c, mask=known, other=0.0).to(tl.float32)[None, :]
    if SILU:
        y *= tl.sigmoid(y)
    if MODULATED:
        gamma = tl.load(gamma_ptr + at, mask=inside, other=0.0).to(tl.float32)
        gamma += 1 + tl.load(gamma_bias_ptr + c, mask=known, other=0.0).to(tl.float32)[None, :]
        beta = tl.load(beta_ptr + at, mask=inside, other=0.0).to(tl.float32)
        beta += tl.load(beta_bias_ptr + c, mask=known, other=0.0).to(tl.float32)[None, :]
        y = y * gamma + beta
    if SKIP:
        y += tl.load(skip_ptr + at, mask=inside, other=0.0).to(tl.float32)
    if SKIP_BIAS:
        y += tl.load(skip_bias_ptr + c, mask=known, other=0.0).to(tl.float32)[None, :]
    tl.store(y_ptr + at, y.to(y_ptr.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=["height", "width"])
def _double(x_ptr, y_ptr, height, width, channels, ROWS: tl.constexpr, WIDTH: tl.constexpr):
    """Write each of one tile's pixels of a frame to the 2×2 places that it becomes."""
    frame = tl.program_id(2).to(tl.int64)
    p = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    c = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    inside = (p < height * width)[:, None] & (c < channels)[None, :]
    x = tl.load(x_ptr + frame * height * width * channels + (p[:, None] * channels + c[None, :]), mask=inside)
    corner = (p // width) * 4 * width + (p % width) * 2  # of the 2×2 pixels, in frames whose rows are twice as long
    y_ptr += frame * 4 * height * width * channels
    for pixel in tl.static_range(4):
        at = corner + (pixel // 2) * 2 * width + pixel % 2
        tl.store(y_ptr + at[:, None].to(tl.int64) * channels + c[None, :], x, mask=inside)


@triton.jit(do_not_specialize=["rows"])
def _gate(x_ptr, y_ptr, rows, width, ROWS: tl.constexpr, WIDTH: tl.constexpr):
    """Write value · GELU(gate) of one tile; a row holds all values, then all gates."""
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS))[:, None]
    c = (tl.program_id(1) * WIDTH + tl.arange(0, WIDTH))[None, :]
    inside = (row < rows) & (c < width)
    at = row.to(tl.int64) * 2 * width + c
    value = tl.load(x_ptr + at, mask=inside, other=0.0).to(tl.float32)
    gate = tl.load(x_ptr + at + width, mask=inside, other=0.0).to(tl.float32)
    y = value * gate * 0.5 * (1 + tl.math.erf(gate * 0.7071067811865476))
    tl.store(y_ptr + row.to(tl.int64) * width + c, y.to(y_ptr.dtype.element_ty), mask=inside)


def group_norm(
    x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float, silu: bool = False,
    conv_bias: Tensor | None = None, offset: Tensor | None = None,
    modulation: Modulation | None = None, skip: Skip | None = None,
) -> Tensor:  # fmt: skip
    """Return skip + SFT(SiLU(group_norm(x + conv_bias + offset))) of x [N,C,h,w], each part where it is asked for.

    conv_bias [C], offset [1 or N,C]. Input, maps and result are channels-last; another layout is copied first. Float32 inside.
    """
    x = _dense(x)
    n, channels, pixels = x.shape[0], x.shape[1], x.shape[2] * x.shape[3]
    width = _width(channels)
    splits, chunk = _split(n, pixels, triton.cdiv(channels, width))
    partial = torch.empty((2, n, splits, channels), dtype=torch.float32, device=x.device)
    scale, shift = torch.empty((2, n, channels), dtype=torch.float32, device=x.device)
    offset = None if offset is None else offset.contiguous()
    with torch.cuda.device_of(x):
        _moments[splits, triton.cdiv(channels, width), n](
            x, partial[0], partial[1], pixels, channels, chunk, ROWS=ROWS, WIDTH=width, num_warps=WARPS
        )
        _coefficients[groups, n](
            partial[0], partial[1], weight, bias, _or(conv_bias, weight), _or(offset, weight), scale, shift,
            pixels, channels, splits, chunk, 0 if offset is None or len(offset) == 1 else channels, eps,
            channels // groups, int(conv_bias is not None), int(offset is not None),
            SPLITS=SPLITS_AT_ONCE, WIDTH=max(triton.next_power_of_2(channels // groups), 16), num_warps=WARPS,
        )  # fmt: skip
    return _streamed(x, scale, shift, channels, silu, modulation, skip)


def joined(x: Tensor, bias: Tensor, skip: Skip) -> Tensor:
    """Return x + bias + skip for x [N,C,h,w] and bias [C]: the end of a residual block in one pass."""
    return _streamed(_dense(x), None, bias, 0, False, None, skip)


def doubled(x: Tensor) -> Tensor:
    """Return x [N,C,h,w] with sides twice as long, each pixel repeated."""
    x, (n, channels, height, width) = _dense(x), x.shape
    y = torch.empty((n, 2 * height, 2 * width, channels), dtype=x.dtype, device=x.device).permute(0, 3, 1, 2)
    tile = _width(channels)
    with torch.cuda.device_of(x):
        grid = triton.cdiv(height * width, ROWS), triton.cdiv(channels, tile), n
        _double[grid](x, y, height, width, channels, ROWS=ROWS, WIDTH=tile, num_warps=WARPS)
    return y


def gated(x: Tensor) -> Tensor:
    """Return the first half of x [...,2·C] times GELU of the second."""
    width = x.shape[-1] // 2
    rows = x.contiguous().view(-1, 2 * width)
    y = torch.empty((len(rows), width), dtype=x.dtype, device=x.device)
    tile = _width(width)
    with torch.cuda.device_of(x):
        grid = triton.cdiv(len(rows), ROWS), triton.cdiv(width, tile)
        _gate[grid](rows, y, len(rows), width, ROWS=ROWS, WIDTH=tile, num_warps=WARPS)
    return y.view(*x.shape[:-1], width)


def _streamed(
    x: Tensor, scale: Tensor | None, shift: Tensor, frame_stride: int, silu: bool,
    modulation: Modulation | None, skip: Skip | None,
) -> Tensor:  # fmt: skip
    n, channels, pixels = x.shape[0], x.shape[1], x.shape[2] * x.shape[3]
    width, y = _width(channels), torch.empty_like(x)
    gamma, beta, gamma_bias, beta_bias = modulation or (x, x, shift, shift)
    skip_x, skip_bias = skip or (x, None)
    with torch.cuda.device_of(x):
        _stream[triton.cdiv(pixels, ROWS), triton.cdiv(channels, width), n](
            x, y, _or(scale, shift), shift, _dense(gamma), _dense(beta), gamma_bias, beta_bias,
            _dense(skip_x), _or(skip_bias, shift), pixels, channels, frame_stride,
            SCALED=scale is not None, SILU=silu, MODULATED=modulation is not None, SKIP=skip is not None,
            SKIP_BIAS=skip_bias is not None, ROWS=ROWS, WIDTH=width, num_warps=WARPS,
        )  # fmt: skip
    return y


def _dense(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _or(wanted: Tensor | None, other: Tensor) -> Tensor:
    """Return a tensor for an argument that the kernel will not read."""
    return other if wanted is None else wanted


def _width(channels: int) -> int:
    """Return the channels of a tile: a power of two that leaves none idle, where there is one."""
    return min(max(channels & -channels, 16), WIDEST)


def _split(n: int, pixels: int, blocks: int) -> tuple[int, int]:
    """Return into how many chunks of how many pixels a frame is divided; none is empty."""
    wanted = max(1, PROGRAMS // (n * blocks))
    chunk = triton.cdiv(triton.cdiv(pixels, wanted), ROWS) * ROWS
    return triton.cdiv(pixels, chunk), chunk
