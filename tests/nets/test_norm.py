"""Group norms: the plain path against torch, the kernels by Triton's interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mgld.nets.norm import is_fused, normalised


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("silu", [False, True])
def test_the_plain_norm_is_torchs_and_can_be_learned_through(layout, silu):
    torch.manual_seed(0)
    norm, x = nn.GroupNorm(4, 12, eps=1e-4), torch.randn(2, 12, 5, 3).contiguous(memory_format=layout)
    nn.init.normal_(norm.weight)
    x.requires_grad_(True)
    wanted = F.group_norm(x, 4, norm.weight, norm.bias, 1e-4)
    y = normalised(norm, x, silu)
    torch.testing.assert_close(y, F.silu(wanted) if silu else wanted)
    y.square().sum().backward()
    assert x.grad.abs().sum() > 0 and norm.weight.grad.abs().sum() > 0


@torch.no_grad()
def test_a_cpu_goes_the_plain_way():
    assert not is_fused(torch.zeros(1))


@pytest.mark.slow
@pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")
def test_the_kernels_compute_what_torch_does_in_float64():
    """All in one process: Triton reads once whether it interprets, and the networks take seconds to load."""
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    checks = "from mgld import light; light.start()\n"
    checks += (
        "from tests.nets import interpreted as plain, interpreted_training as learning; plain.main(); learning.main()"
    )
    command, root = [sys.executable, "-c", checks], Path(__file__).resolve().parents[2]
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
