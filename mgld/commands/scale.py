"""What `benchmark --scale` measures: the published schedule of work beside ours, same weights and steps, in one process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from mgld.commands.benchmark import Scale
from mgld.commands.published_work import precision
from mgld.compat import settings_as
from mgld.constants import SCALE
from mgld.events import FramesDone, Result
from mgld.flow import estimate_motion
from mgld.nets.replay import CudaRecorder
from mgld.pipeline import MGLDPipeline
from mgld.sampling.guidance import StepState, guidance_step
from mgld.settings import Settings
from mgld.stages.motion import flow_network
from mgld.video import Frame

PARTS = ("denoise", "encode", "decode", "flow", "guide")
COUNTED = ("denoise", "encode", "decode")  # what floating-point operations are counted of
MATMUL_SIDE = {"cuda": 8192, "cpu": 2048}
REPEATS = {"cuda": 10, "cpu": 1}
KERNELS_TOLD = 14
CHECKED = ((5, 320, 64, 64), (5, 2560, 8, 8), (5, 128, 512, 512), (1, 960, 37, 41))  # activations [N,C,h,w]


def settings_of(scale: Scale, steps: int) -> Settings:
    """Return the published settings, but for the number of steps and what a CPU is spared."""
    return settings_as("published", given={"steps": steps, "flow": scale.flow})


def seconds(work: Callable[[], Any], device: torch.device, repeats: int) -> float:
    """Return the median time of one call, after two that do not count on a GPU."""
    on_gpu = device.type == "cuda"
    for _ in range(2 if on_gpu else 0):
        work()
    return statistics.median(_one(work, on_gpu) for _ in range(repeats))


def _one(work: Callable[[], Any], on_gpu: bool) -> float:
    if not on_gpu:
        started = time.perf_counter()
        work()
        return time.perf_counter() - started
    first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    torch.cuda.synchronize()
    first.record()
    work()
    last.record()
    last.synchronize()
    return first.elapsed_time(last) / 1000


@torch.no_grad()
def matmul_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Return the floating-point operations per second of a large square matrix product: what the device can do."""
    side = MATMUL_SIDE[device.type]
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    return 2 * side**3 / seconds(lambda: a @ b, device, REPEATS[device.type])


def works(pipeline: MGLDPipeline, scale: Scale) -> dict[str, Callable[[], Any]]:
    """Return each part of the work on random inputs: one denoising step, one encoding, one decoding, the motion, one pull."""
    device, t, vae, nets = pipeline.device, scale.frames, pipeline.vae, pipeline.networks
    side, cells = SCALE * scale.side_px, SCALE * scale.side_px // vae.factor
    source = torch.Generator(device).manual_seed(0)
    x = torch.rand(t, 3, side, side, device=device, generator=source) * 2 - 1
    z = torch.randn(t, vae.config.latent_channels, cells, cells, device=device, generator=source)
    rgb = F.avg_pool2d((x + 1) / 2, SCALE)
    timestep, wanted = torch.tensor([500], device=device), settings_of(scale, 1)
    state = StepState(z, 0.1, -2.3, 0.3, 0.4)
    parts: dict[str, Callable[[], Any]] = {"denoise": lambda: nets.predicted((z, z, timestep), (t, True))}
    if not scale.steps:
        return parts
    with torch.no_grad(), precision(pipeline):
        features = vae.encode(nets.cast(x))[1]
    network = flow_network(nets, wanted)
    motion = estimate_motion(rgb, network, (cells, cells))
    return parts | {
        "encode": lambda: vae.encode(nets.cast(x)),
        "decode": lambda: vae.decode(nets.cast(z), features, t, 1.0, True),
        "flow": lambda: estimate_motion(rgb, network, (cells, cells)),
        "guide": lambda: guidance_step(z, motion, state, wanted.guidance, wanted.guidance_mode),
    }


@torch.no_grad()
def time_parts(pipeline: MGLDPipeline, scale: Scale, known: dict[str, float]) -> None:
    """Add the seconds of each part to what is known, one by one: a part that fails loses none before it."""
    device = pipeline.device
    with precision(pipeline):
        for name, work in works(pipeline, scale).items():
            known[name] = seconds(work, device, REPEATS[device.type])


@torch.no_grad()
def time_coding_graphs(pipeline: MGLDPipeline, scale: Scale, known: dict[str, float]) -> None:
    """Add the seconds of encoding and decoding as CUDA graphs, which nothing but this measurement uses."""
    device, parts = pipeline.device, works(pipeline, scale)
    for name in ("encode", "decode"):
        recording = CudaRecorder().record(lambda _, name=name: parts[name](), (torch.empty(1, device=device),), ())
        known[name] = seconds(recording.again, device, REPEATS[device.type])


@torch.no_grad()
def count_operations(pipeline: MGLDPipeline, scale: Scale) -> dict[str, int]:
    """Return the floating-point operations of each part that convolves and multiplies."""
    counted = {}
    for name in COUNTED:
        work = works(pipeline, scale).get(name)
        if work is not None:
            with precision(pipeline), FlopCounterMode(display=False) as counter:
                work()
            counted[name] = counter.get_total_flops()
    return counted


def whole_run(pipeline: MGLDPipeline, clip_u8: np.ndarray, wanted: Settings) -> dict[str, Any]:
    """Return {"u8" [T,4h,4w,3], "seconds", "stages", "peak_bytes"} of one run from bytes to bytes."""
    frames = (Frame(rgb, float(i)) for i, rgb in enumerate(clip_u8))
    started = time.perf_counter()
    with precision(pipeline):
        events = list(pipeline.run(frames, wanted, len(clip_u8)))
    spent = time.perf_counter() - started
    told = next(event.report for event in events if isinstance(event, Result))
    done = np.concatenate([event.frames_u8 for event in events if isinstance(event, FramesDone)])
    return {"u8": done, "seconds": spent, "stages": told["seconds"], "peak_bytes": told["peak_memory_bytes"]}


def weight_bytes(pipeline: MGLDPipeline) -> int:
    """Return what a pipeline's weights take."""
    nets = (pipeline.vae, pipeline.unet, pipeline.structure_encoder)
    return sum(p.numel() * p.element_size() for net in nets for p in net.parameters())


def apart(a_u8: np.ndarray, b_u8: np.ndarray) -> dict[str, float]:
    """Return how far two results are apart, in output levels."""
    levels = np.abs(a_u8.astype(np.int16) - b_u8)
    return {"largest": int(levels.max()), "mean": float(levels.mean()), "share_over_1": float((levels > 1).mean())}


@torch.no_grad()
def checks(pipeline: MGLDPipeline, scale: Scale) -> dict[str, float]:
    """Return how far, relatively, our kernels are from float64 on fresh numbers, and a replayed step from a launched one."""
    from mgld.nets.norm import normalised

    found = {}
    for shape in CHECKED:
        x = (3 * torch.randn(shape, device=pipeline.device) + 5).to(pipeline.vae.dtype)
        norm = torch.nn.GroupNorm(32, shape[1], device=x.device, dtype=x.dtype)
        torch.nn.init.normal_(norm.weight)
        wanted = F.silu(F.group_norm(x.double(), 32, norm.weight.double(), norm.bias.double(), norm.eps))
        found["norm " + "x".join(map(str, shape))] = _distance(normalised(norm, x, silu=True), wanted)
    step, replay = works(pipeline, scale)["denoise"], pipeline.networks.predicted
    replayed, kept = step(), replay.most
    replay.most = 0
    found["replayed step"] = _distance(replayed, step())
    replay.most = kept
    return found


def _distance(a: Tensor, b: Tensor) -> float:
    return float((a.double() - b.double()).norm() / b.double().norm())


@torch.no_grad()
def kernels(work: Callable[[], Any]) -> dict[str, Any]:
    """Return how many kernels one call launches, their time in ms, the longest by name and by the call of torch behind them."""
    from torch.profiler import ProfilerActivity, profile

    work()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA], record_shapes=True) as profiler:
        work()
        torch.cuda.synchronize()
    found = [e for e in profiler.key_averages() if str(e.device_type).endswith("CUDA")]
    calls = [e for e in profiler.key_averages(group_by_input_shape=True) if not str(e.device_type).endswith("CUDA")]
    spent_ms = sum(e.self_device_time_total for e in found) / 1000
    return {
        "launches": sum(e.count for e in found), "ms": round(spent_ms, 3),
        "longest": [[e.key[:110], e.count, _ms(e)] for e in _longest(found)],
        "calls": [[e.key, str(e.input_shapes)[:90], e.count, _ms(e)] for e in _longest(calls)],
    }  # fmt: skip


def _longest(events: list[Any]) -> list[Any]:
    return sorted(events, key=lambda e: -e.self_device_time_total)[:KERNELS_TOLD]


def _ms(event: Any) -> float:
    return round(event.self_device_time_total / 1000, 3)
