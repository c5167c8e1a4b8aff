"""On a GPU: our kernels against torch in float64, replayed steps against launched ones, a whole run with and without."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers.models.resnet import ResnetBlock2D
from torch import nn

from mgld.flow.temporal_filter import temporally_filtered
from mgld.metrics.perceptual import Dists
from mgld.metrics.suite import Suite
from mgld.metrics.vgg import Perceptual
from mgld.nets import blocks
from mgld.nets.layers import SFT
from mgld.nets.norm import is_fused, normalised
from mgld.nets.replay import Replay
from mgld.settings import Settings
from mgld.training.losses import flat_excess, grid_difference

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]

SHAPES = (
    (5, 320, 64, 64), (5, 640, 32, 32), (5, 1280, 16, 16), (5, 1280, 8, 8), (5, 2560, 8, 8), (5, 960, 64, 64),
    (5, 256, 512, 512), (5, 512, 128, 128), (1, 128, 511, 509), (3, 32, 1, 1), (2, 96, 7, 5), (1, 1920, 33, 31),
)  # fmt: skip


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    assert torch.isfinite(a).all()
    return float((a.double() - b.double()).norm() / b.double().norm())


def activations(*shape: int, dtype: torch.dtype) -> torch.Tensor:
    """Return what has a mean beside its deviation, channels-last."""
    x = torch.randn(shape, device="cuda") * 3 + torch.randn(1, shape[1], 1, 1, device="cuda") * 5
    return x.to(dtype).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@torch.no_grad()
def test_the_norm_is_torchs_in_float64(shape, dtype):
    x, norm = activations(*shape, dtype=dtype), nn.GroupNorm(32, shape[1], device="cuda", dtype=dtype)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    assert is_fused(x)
    for silu in (False, True):
        wanted = F.group_norm(x.double(), 32, norm.weight.double(), norm.bias.double(), norm.eps)
        y = normalised(norm, x, silu)
        assert y.is_contiguous(memory_format=torch.channels_last) and y.dtype == dtype
        allowed = {torch.float16: 1e-3, torch.bfloat16: 4e-3, torch.float32: 1e-5}[dtype]
        assert distance(y, F.silu(wanted) if silu else wanted) < max(allowed, rounding(x, norm, wanted))


def rounding(x: torch.Tensor, norm: nn.GroupNorm, wanted: torch.Tensor) -> float:
    """Return how far rounding x·scale and its shift to float32 may take a norm: groups of one value deviate by √ε alone."""
    groups = x.double().reshape(len(x), 32, -1)
    scale = (groups.var(-1, correction=0, keepdim=True) + norm.eps).rsqrt()
    size = (groups * scale).expand_as(groups).reshape(x.shape) * norm.weight.double().view(1, -1, 1, 1)
    return float(torch.finfo(torch.float32).eps * size.norm() / wanted.norm())


@pytest.mark.parametrize("inputs", [64, 128])
@pytest.mark.parametrize("modulated", [True, False])
@torch.no_grad()
def test_a_fused_residual_block_is_the_plain_one(inputs, modulated):
    block = ResnetBlock2D(in_channels=inputs, out_channels=128, temb_channels=32, groups=32).cuda()
    sft = SFT(128, 16, 8).cuda() if modulated else None
    x, condition = (activations(5, c, 24, 20, dtype=torch.float32) for c in (inputs, 16))
    given = (block, x, torch.randn(1, 32, device="cuda"), sft, condition)
    wanted = blocks._plain_residual(*[v.double() if hasattr(v, "double") else v for v in given])
    for module in (block, sft):
        if module is not None:
            module.half().to(memory_format=torch.channels_last)
    halves = [v.half() if isinstance(v, torch.Tensor) else v for v in given]
    assert distance(blocks.residual(*halves), wanted) < 3e-3


@pytest.mark.parametrize("loss", ["grid", "flat", "dists"])
def test_what_training_asks_of_pictures_has_the_gradient_of_a_cpu(loss):
    """torch 2.11's own of padded means is another one on CUDA where channels come last (pytorch#188344)."""
    dists = Dists(Perceptual().requires_grad_(False)).requires_grad_(False)
    dists.alpha[:67], dists.beta[:67] = (
        1.0,
        1.0,
    )  # the picture and the first group: those behind hardly vary with random weights
    called = {"grid": lambda x, y: grid_difference(x, y, 4), "flat": flat_excess, "dists": dists}[loss]
    gt, grads = torch.rand(2, 3, 64, 64), {}
    start = (gt + 0.1 * torch.randn(gt.shape)).clamp(0, 1)
    for device in ("cpu", "cuda"):
        dists.to(device)
        x, y = (v.to(device).contiguous(memory_format=torch.channels_last) for v in (start, gt))
        (grads[device],) = torch.autograd.grad(called(x.requires_grad_(True), y).mean(), x)
    assert distance(grads["cuda"].cpu(), grads["cpu"]) < 1e-2


@torch.no_grad()
def test_a_replayed_call_is_the_launched_one(pipeline):
    pipeline.to("cuda")
    z, lq = (torch.randn(3, 4, 16, 16, device="cuda") for _ in range(2))
    replay = Replay(pipeline.networks.predict, (pipeline.structure_encoder, pipeline.unet), most=2)
    for t in (900.0, 100.0):
        given = (z + t, lq, torch.tensor([t], device="cuda"))
        assert distance(replay(given, (3, True)), pipeline.networks.predict(*given, 3, True)) < 1e-5
    assert len(replay) == 1
    assert replay.forget() and distance(replay(given, (3, False)), pipeline.networks.predict(*given, 3, False)) < 1e-5


def test_a_run_with_graphs_is_a_run_without(pipeline, clip_u8):
    pipeline.to("cuda")
    wanted, results = Settings(steps=4), []
    for most in (0, 4):
        pipeline.networks.predicted.most = most
        results.append(pipeline(clip_u8, wanted).astype(np.int16))
    assert len(pipeline.networks.predicted) > 0
    assert np.abs(results[0] - results[1]).max() <= 1


def test_the_temporal_filter_comes_to_what_it_comes_to_on_a_cpu():
    frames, flow_px = torch.rand(5, 3, 128, 192) * 2 - 1, torch.randn(8, 2, 32, 48)
    made = temporally_filtered(frames.cuda(), flow_px.cuda()).cpu()
    assert (made - temporally_filtered(frames, flow_px)).abs().max() < 1e-3


@pytest.mark.parametrize("flow", ["spynet", "raft"])
def test_a_judge_of_motion_on_the_gpu_sees_frames_as_they_are_read(flow, clip_u8):
    found, wanted = (Suite(flow, device).motion_of(clip_u8).flow_px for device in ("cuda", "cpu"))
    assert found.device.type == "cpu" and (found - wanted).abs().mean() < 0.01
