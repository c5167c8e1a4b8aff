"""Motion: how a segment's frames move, which guidance follows."""

from __future__ import annotations

from collections.abc import Generator

import torch.nn.functional as F

from mgld.constants import SCALE
from mgld.events import Event
from mgld.flow import FlowNetwork, Motion, estimate_motion, load_flow
from mgld.methods import is_guided
from mgld.segment import SegmentRun
from mgld.settings import Settings
from mgld.stages.networks import Networks


def motion_of(nets: Networks, segment: SegmentRun) -> Generator[Event, None, Motion | None]:
    """Estimate flow on the LQ frames at about their own size, on the latent's grid (spec §5.1); None without guidance."""
    if not is_guided(segment.settings):
        return None
    yield segment.progress("motion")
    (h, w), factor = segment.size_hw, nets.vae.factor
    rgb = (segment.x_lq + 1) / 2
    rgb = F.interpolate(rgb, size=(h // SCALE, w // SCALE), mode="bicubic", align_corners=False).clamp(0, 1)
    motion = estimate_motion(rgb, flow_network(nets, segment.settings), (h // factor, w // factor))
    segment.clock.mark("motion")
    return motion


def flow_network(nets: Networks, wanted: Settings) -> FlowNetwork:
    """Return the flow network that a run asks for, opened when it is first needed; UserError says how to get absent weights."""
    key = wanted.flow, wanted.flow_range
    if key not in nets.flows:
        nets.flows[key] = load_flow(wanted.flow, nets.vae.device, input_range=wanted.flow_range)
    return nets.flows[key]
