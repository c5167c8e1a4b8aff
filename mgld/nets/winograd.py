"""Winograd's convolutions on CPUs: 3×3 kernels over tiles of 4×4 results with a quarter of the multiplications.

Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks" (2015), F(4×4, 3×3): 36 products per tile and pair of channels
instead of 144, and three linear maps around them, all as matrix products. A library's direct convolution already does what the
core can, so fewer multiplications are the only way left; where a CPU computes in bfloat16 it has faster ones of its own.
"""

from __future__ import annotations

import math
import threading

import torch
from torch import Tensor, nn

from mgld.nets.plain import Kernels, is_plain

TILE, REACH = 4, 6  # pixels a side: of a tile's results, and of what they are made from
POINTS_IN = (
    (4, 0, -5, 0, 1, 0), (0, -4, -4, 1, 1, 0), (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0), (0, 2, -1, -2, 1, 0), (0, 4, 0, -5, 0, 1),
)  # fmt: skip
POINTS_KERNEL = (
    (1 / 4, 0, 0), (-1 / 6, -1 / 6, -1 / 6), (-1 / 6, 1 / 6, -1 / 6), (1 / 24, 1 / 12, 1 / 6), (1 / 24, -1 / 12, 1 / 6), (0, 0, 1),
)  # fmt: skip
POINTS_OUT = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))
# products of channels: below, the maps around cost more than is saved; above, kernels four times as large fill the memory
PAYS = range(4096, 2**18 + 1)
PAYS_TOGETHER = 8192  # at least, where cores share the work: between the maps they hand it to each other
FEWEST = 16  # tiles: with fewer, reading the kernels takes longer than what is saved
AT_ONCE = 2**14  # tiles times channels that are worked on together by each core


def _of_both_axes(points: tuple[tuple[float, ...], ...]) -> Tensor:
    line = torch.tensor(points, dtype=torch.float32)
    return torch.kron(line, line)


INTO, KERNEL, BACK = map(_of_both_axes, (POINTS_IN, POINTS_KERNEL, POINTS_OUT))  # [36,36], [36,9], [16,36]


class WinogradConv(nn.Conv2d):
    """A 3×3 convolution that computes Winograd's way in float32 on a CPU, and as ever with gradients or anywhere else."""

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if x.device.type != "cpu" or x.dtype != torch.float32 or torch.is_grad_enabled() or not self._saves(x):
            return super()._conv_forward(x, weight, bias)
        return convolved(x, KERNELS.of(self), bias)

    def _saves(self, x: Tensor) -> bool:
        is_large = self.in_channels * self.out_channels >= PAYS_TOGETHER
        return _tiles_of(x) >= FEWEST and (is_large or torch.get_num_threads() == 1)


def quickened(net: nn.Module) -> nn.Module:
    """Let a network's convolutions compute Winograd's way where that pays; weights and their names stay."""
    for name, conv in list(net.named_modules()):
        if type(conv) is nn.Conv2d and _pays(conv):
            quick = WinogradConv(
                conv.in_channels, conv.out_channels, 3, padding=1, bias=conv.bias is not None, device="meta"
            )
            quick.weight, quick.bias = conv.weight, conv.bias
            net.set_submodule(name, quick.train(conv.training))
    return net


def _pays(conv: nn.Conv2d) -> bool:
    return is_plain(conv) and conv.in_channels * conv.out_channels in PAYS


def kernels_of(weight: Tensor) -> Tensor:
    """Return what each pair of channels is multiplied by, [36,C,K], for weight [K,C,3,3]."""
    made = KERNEL @ weight.reshape(-1, 9).T
    return made.view(REACH**2, *weight.shape[:2]).transpose(1, 2).contiguous()  # a third faster to multiply with


KERNELS = Kernels(kernels_of)


def convolved(x: Tensor, kernels: Tensor, bias: Tensor | None) -> Tensor:
    """Return the convolution of x [N,C,h,w] with zeros around it, [N,K,h,w], channels-last."""
    (n, c, h, w), k = x.shape, kernels.shape[2]
    down, across = -(-h // TILE), -(-w // TILE)
    lines, y = x.permute(0, 2, 3, 1), x.new_empty((n, down, TILE, across, TILE, k))
    tiles = AT_ONCE * torch.get_num_threads() // max(c, k)
    frames, rows = max(1, tiles // (down * across)), min(down, max(1, tiles // across))
    for first in range(0, n, frames):
        for top in range(0, down, rows):
            part = y[first : first + frames, top : top + rows]
            _tiles(lines[first : first + frames], top, kernels, bias, part)
    whole = y.view(n, TILE * down, TILE * across, k)[:, :h, :w]
    return whole.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def _tiles(lines: Tensor, top: int, kernels: Tensor, bias: Tensor | None, y: Tensor) -> None:
    """Write y [N,rows,4,columns,4,K], the tiles from row `top` on, of what lies around them in lines [N,h,w,C]."""
    (n, rows, _, columns, _, k), c = y.shape, lines.shape[-1]
    count = n * rows * columns
    here, there = ROOM.halves(REACH**2 * count * max(c, k))
    padded = _padded(lines, TILE * top, _begin(there, n, TILE * rows + 2, TILE * columns + 2, c))
    around = _begin(here, REACH, REACH, n, rows, columns, c)
    frame, line, pixel, _ = padded.stride()
    steps = (line, pixel, frame, TILE * line, TILE * pixel, 1)
    around.copy_(padded.as_strided(around.shape, steps, padded.storage_offset()))
    mapped = torch.mm(INTO, around.view(REACH**2, -1), out=_begin(there, REACH**2, count * c))
    products = torch.bmm(mapped.view(REACH**2, count, c), kernels, out=_begin(here, REACH**2, count, k))
    made = torch.mm(BACK, products.view(REACH**2, -1), out=_begin(there, TILE**2, count * k))
    made = made.view(TILE, TILE, n, rows, columns, k).permute(2, 3, 0, 4, 1, 5)
    if bias is None:
        y.copy_(made)
    else:
        torch.add(made, bias, out=y)


def _padded(lines: Tensor, first: int, out: Tensor) -> Tensor:
    """Return out [N,H,W,C] with lines [N,h,w,C] from one above the first on, and zeros around them."""
    (h, w), last = lines.shape[1:3], len(out[0])
    begin, end = max(0, 1 - first), min(last, h + 1 - first)
    for above_or_below in (out[:, :begin], out[:, end:]) if end - begin < last else ():
        above_or_below.zero_()
    out[:, begin:end, 0].zero_()
    out[:, begin:end, w + 1 :].zero_()
    out[:, begin:end, 1 : w + 1] = lines[:, first - 1 + begin : first - 1 + end]
    return out


class Room(threading.local):
    """Each thread's memory for what lies between a convolution's input and result: fresh pages would cost as much as the maps."""

    def __init__(self) -> None:
        self._floats = torch.empty(0, dtype=torch.float32)

    def halves(self, count: int) -> tuple[Tensor, Tensor]:
        """Return two buffers [count], float32, of which each is overwritten by the next call."""
        if len(self._floats) < 2 * count:
            with torch.inference_mode(False):  # else nothing outside of that mode could write to it
                self._floats = torch.empty(2 * count, dtype=torch.float32)
        return self._floats[:count], self._floats[count : 2 * count]


ROOM = Room()


def _begin(buffer: Tensor, *shape: int) -> Tensor:
    """Return the beginning of a buffer in a shape."""
    return buffer[: math.prod(shape)].view(shape)


def _tiles_of(x: Tensor) -> int:
    return len(x) * math.prod(-(-side // TILE) for side in x.shape[-2:])
