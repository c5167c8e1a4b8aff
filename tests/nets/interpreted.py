"""The Triton kernels against torch in float64, by Triton's interpreter: `TRITON_INTERPRET=1 python -m tests.nets.interpreted`."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from mgld.nets import triton_norm
from mgld.nets.blocks import _fused_residual, _plain_residual
from mgld.nets.layers import SFT

CASES = [  # N, C, h, w, groups; chunks that end inside a tile, groups that are no power of two, one pixel, one channel a group
    (2, 32, 9, 7, 2), (1, 80, 4, 5, 8), (2, 24, 5, 3, 2), (1, 8, 1, 1, 2), (1, 6, 10, 13, 6),
]  # fmt: skip


def random(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Return numbers away from zero: a variance beside a large mean is where moments go wrong."""
    x = torch.randn(shape) + 20 * torch.randn(shape[1] if len(shape) > 1 else 1).view(-1, *[1] * max(len(shape) - 2, 0))
    x = x.to(dtype)
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x


def expected(x, groups, weight, bias, eps, silu, conv_bias, offset, modulation, skip) -> torch.Tensor:
    x = x.double() + conv_bias.double()[:, None, None] + offset.double()[:, :, None, None]
    y = F.group_norm(x, groups, weight.double(), bias.double(), eps)
    y = F.silu(y) if silu else y
    maps = [v.double() for v in modulation]
    y = y * (1 + maps[0] + maps[2][:, None, None]) + maps[1] + maps[3][:, None, None]
    return y + skip.x.double() + skip.bias.double()[:, None, None]


def check_everything_at_once(shape: tuple[int, ...], groups: int, dtype: torch.dtype, apart: float) -> None:
    n, c = shape[:2]
    x, gamma, beta, s = (random(*shape, dtype=dtype) for _ in range(4))
    vectors = [torch.randn(c).to(dtype) for _ in range(6)]
    offset = torch.randn(n if dtype == torch.float16 else 1, c).to(dtype)
    arguments = (
        groups, *vectors[:2], 1e-5, True, vectors[2], offset,
        triton_norm.Modulation(gamma, beta, *vectors[3:5]), triton_norm.Skip(s, vectors[5]),
    )  # fmt: skip
    y, wanted = triton_norm.group_norm(x, *arguments), expected(x, *arguments)
    assert y.dtype == dtype and y.is_contiguous(memory_format=torch.channels_last)
    assert (y - wanted).norm() / wanted.norm() < apart, (shape, groups, dtype)


def check_the_norm_alone(shape: tuple[int, ...], groups: int) -> None:
    x, weight, bias = random(*shape), torch.randn(shape[1]), torch.randn(shape[1])
    wanted = F.group_norm(x.double(), groups, weight.double(), bias.double(), 1e-6)
    y = triton_norm.group_norm(x.contiguous(), groups, weight, bias, 1e-6)  # of another layout
    assert (y - wanted).norm() / wanted.norm() < 2e-5, (shape, groups)


@torch.no_grad()
def check_residual_blocks() -> None:
    from diffusers.models.resnet import ResnetBlock2D

    for inputs, emb, modulated in ((16, torch.randn(1, 8), True), (32, torch.randn(2, 8), True), (16, None, False)):
        block = ResnetBlock2D(in_channels=inputs, out_channels=32, temb_channels=8, groups=2)
        sft, x = SFT(32, 8, 4, groups=2) if modulated else None, random(2, inputs, 6, 5)
        given = (block, x, emb, sft, random(2, 8, 6, 5))
        torch.testing.assert_close(_fused_residual(*given), _plain_residual(*given), atol=2e-4, rtol=1e-4)


def check_doubling_and_gates() -> None:
    for shape in ((2, 6, 5, 7), (1, 32, 3, 11)):
        x = random(*shape)
        y = triton_norm.doubled(x)
        assert y.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(y, F.interpolate(x, scale_factor=2.0), atol=0, rtol=0)
    x = torch.randn(3, 13, 40)
    value, gate = x.chunk(2, dim=-1)
    torch.testing.assert_close(triton_norm.gated(x), value * F.gelu(gate), atol=1e-6, rtol=1e-5)


def main() -> None:
    """Check all of it."""
    torch.default_generator.manual_seed(0)  # torch.manual_seed loads torch's compiler
    assert triton_norm.triton.knobs.runtime.interpret
    for *shape, groups in CASES:
        check_the_norm_alone(tuple(shape), groups)
        check_everything_at_once(tuple(shape), groups, torch.float32, 2e-5)
        check_everything_at_once(tuple(shape), groups, torch.float16, 1e-3)
    check_residual_blocks()
    check_doubling_and_gates()


if __name__ == "__main__":
    main()
