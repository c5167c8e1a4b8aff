"""Group normalisation in channels-last memory: our Triton kernels where they run, plain torch elsewhere."""

from __future__ import annotations

from importlib.util import find_spec

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TRITON = find_spec("triton") is not None  # absent on Windows, on macOS and beside torch's builds for CPUs


def is_fused(x: Tensor) -> bool:
    """Tell whether our kernels take x: on CUDA, without gradients; autocast chooses precisions itself, so it goes without."""
    return TRITON and x.is_cuda and not torch.is_grad_enabled() and not torch.is_autocast_enabled("cuda")


def learns_fused(x: Tensor) -> bool:
    """Tell whether our kernels with gradients take x: on CUDA, in training, whose autocast alone is to bfloat16."""
    autocast = torch.is_autocast_enabled("cuda") and torch.get_autocast_dtype("cuda") == torch.bfloat16
    return TRITON and x.is_cuda and (torch.is_grad_enabled() or autocast)


def normalised(norm: nn.GroupNorm, x: Tensor, silu: bool = False) -> Tensor:
    """Return the group norm of x [N,C,h,w], through SiLU if wanted."""
    if is_fused(x):
        from mgld.nets import triton_norm

        return triton_norm.group_norm(x, norm.num_groups, norm.weight, norm.bias, norm.eps, silu)
    if learns_fused(x):
        from mgld.nets import triton_norm_training

        return triton_norm_training.group_norm(x, norm.num_groups, norm.weight, norm.bias, norm.eps, silu)
    return F.silu(norm(x), inplace=not torch.is_grad_enabled()) if silu else norm(x)
