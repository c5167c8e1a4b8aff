"""The norm that learns, against torch in float64: `TRITON_INTERPRET=1 python -m tests.nets.interpreted_training`."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from mgld.nets import triton_norm_training
from tests.nets.interpreted import CASES, random


def check(shape: tuple[int, ...], groups: int, silu: bool) -> None:
    """Compare result and gradients for fresh random numbers."""
    x, dy = random(*shape), torch.randn(shape)
    weight, bias = torch.randn(shape[1]), torch.randn(shape[1])

    def ran(dtype: torch.dtype, norm) -> list[torch.Tensor]:
        leaves = [v.detach().to(dtype).requires_grad_(True) for v in (x, weight, bias)]
        y = norm(*leaves)
        return [y.detach(), *torch.autograd.grad(y, leaves, dy.to(dtype))]

    def plain(x, weight, bias):
        y = F.group_norm(x, groups, weight, bias, 1e-5)
        return F.silu(y) if silu else y

    found = ran(torch.float32, lambda x, w, b: triton_norm_training.group_norm(x, groups, w, b, 1e-5, silu))
    for name, one, wanted in zip(("y", "∂x", "∂w", "∂β"), found, ran(torch.float64, plain), strict=True):
        apart = float((one - wanted).norm() / wanted.norm().clamp(min=1e-6))
        assert apart < 5e-4, (name, shape, groups, silu, apart)


def main() -> None:
    """Check all of it."""
    for shape_and_groups in CASES:
        for with_silu in (True, False):
            check(shape_and_groups[:4], shape_and_groups[4], with_silu)


if __name__ == "__main__":
    main()
