"""Motion: how a segment's frames move, which the temporal filter and guidance follow."""

from __future__ import annotations

from collections.abc import Generator

import torch.nn.functional as F
from torch import Tensor

from mgld.constants import SCALE
from mgld.events import Event
from mgld.flow import FlowNetwork, Motion, flow_both_ways, load_flow, motion_on
from mgld.methods import is_guided
from mgld.segment import SegmentRun
from mgld.settings import Settings
from mgld.stages.networks import Networks


def motion_of(nets: Networks, segment: SegmentRun) -> Generator[Event, None, Motion | None]:
    """Return the motion on the latent's grid (spec §5.1), of the flow that the filter followed if it did; None without guidance."""
    if not is_guided(segment.settings):
        return None
    yield segment.progress("motion")
    (h, w), factor, flow_px = segment.size_hw, nets.vae.factor, segment.view().flow_px
    if flow_px is None:
        flow_px = flow_of(nets, segment.x_lq, segment.settings)
    motion = motion_on(flow_px, (h // factor, w // factor))
    segment.clock.mark("motion")
    return motion


def flow_of(nets: Networks, x_lq: Tensor, wanted: Settings) -> Tensor:
    """Return the flow both ways [2(T-1),2,H/4,W/4] of enlarged frames x_lq [T,3,H,W], measured at about their own size."""
    height, width = x_lq.shape[-2:]
    rgb = F.interpolate((x_lq + 1) / 2, size=(height // SCALE, width // SCALE), mode="bicubic", align_corners=False)
    return flow_both_ways(rgb.clamp(0, 1), flow_network(nets, wanted))


def flow_network(nets: Networks, wanted: Settings) -> FlowNetwork:
    """Return the flow network that a run asks for, opened when it is first needed; UserError says how to get absent weights."""
    key = wanted.flow, wanted.flow_range
    if key not in nets.flows:
        nets.flows[key] = load_flow(wanted.flow, nets.vae.device, nets.flow_dir, input_range=wanted.flow_range)
    return nets.flows[key]
