"""The published schedule of work, as a mode of our own modules, for `benchmark --scale`; nothing of the published code runs.

It is fp16 autocast over fp32 weights, planes instead of channels-last memory, norms without kernels of their own, stacked
temporal convolutions, two encodings, flow pair by pair, no graph.
"""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager
from dataclasses import replace

import torch
from diffusers import DDPMScheduler
from torch import Tensor, nn

from mgld.device import best_dtype
from mgld.flow import FlowNetwork
from mgld.nets.layers import TemporalConv
from mgld.nets.loading import NETS
from mgld.pipeline import MGLDPipeline
from mgld.presets import SD21
from mgld.stages.networks import Networks

TEMPORAL_ALPHA = 0.3  # of random weights: a fresh layer would do nothing


class StackedTemporalConv(nn.Module):
    """A temporal convolution as published: frames of each pixel laid in a row, one Conv1d over them."""

    def __init__(self, layer: TemporalConv) -> None:
        super().__init__()
        self.alpha, self.conv = layer.temporal_alpha, layer.temporal_conv

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map [B·T,C,h,w] to the same shape."""
        n, c, h, w = x.shape
        lines = x.view(-1, frames, c, h, w).permute(0, 3, 4, 2, 1).reshape(-1, c, frames)
        mixed = self.conv(lines).view(-1, h, w, c, frames).permute(0, 4, 3, 1, 2).reshape(n, c, h, w)
        return self.alpha * mixed + (1 - self.alpha) * x


class PublishedWork(MGLDPipeline):
    """Our pipeline doing the published amount of work."""

    @property
    def networks(self) -> Networks:
        """Return its networks, which read planes, and of which the decoder's features are made by a second encoding."""
        return replace(super().networks, memory_format=torch.contiguous_format, keeps_features=False)


def published_of(ours: MGLDPipeline) -> PublishedWork:
    """Return the published schedule of work over the same weights, in fp32."""
    nets = {name: stacked(copy.deepcopy(getattr(ours, name)).float()) for name in NETS}
    nets = {name: net.to(memory_format=torch.contiguous_format) for name, net in nets.items()}
    published = PublishedWork(scheduler=ours.scheduler, **nets)
    published.networks.predicted.most = 0
    published.networks.flows.update({name: pair_by_pair(network) for name, network in ours.networks.flows.items()})
    return published


def stacked(net: nn.Module) -> nn.Module:
    """Replace the temporal convolutions of a network."""
    found = {name: layer for name, layer in net.named_modules() if isinstance(layer, TemporalConv)}
    for name, layer in found.items():
        net.set_submodule(name, StackedTemporalConv(layer))
    return net


def pair_by_pair(network: FlowNetwork) -> FlowNetwork:
    """Return a flow network that sees one pair of frames a call."""

    def estimate(a: Tensor, b: Tensor) -> Tensor:
        return torch.cat([network(*pair) for pair in zip(a.split(1), b.split(1), strict=True)])

    return estimate


def random_sd21(device: str) -> MGLDPipeline:
    """Return a pipeline of sd21's shapes with random weights, temporal layers switched on; its pictures mean nothing."""
    torch.manual_seed(0)
    with torch.device(device):
        nets = [kind(**SD21[name]) for name, kind in NETS.items()]
    for net in nets:
        net.requires_grad_(False).eval()
        for name, parameter in net.named_parameters():
            if name.endswith("temporal_alpha"):
                parameter.fill_(TEMPORAL_ALPHA)
    return MGLDPipeline(*nets, DDPMScheduler(**SD21["scheduler"]))


def ours_of(pipeline: MGLDPipeline) -> MGLDPipeline:
    """Turn a pipeline into what from_pretrained gives: the device's own precision, channels-last."""
    dtype = getattr(torch, best_dtype(pipeline.device.type))
    for name in NETS:
        # nn.Module's: diffusers' own warns of modules to be kept in float32, of which there are none.
        nn.Module.to(getattr(pipeline, name), dtype=dtype, memory_format=torch.channels_last)
    return pipeline


def precision(pipeline: MGLDPipeline) -> AbstractContextManager:
    """Return what the pipeline is to run in: the published work autocasts on CUDA."""
    on = isinstance(pipeline, PublishedWork) and pipeline.device.type == "cuda"
    return torch.autocast(pipeline.device.type, torch.float16 if on else torch.bfloat16, enabled=on)
