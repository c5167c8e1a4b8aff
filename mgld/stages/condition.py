"""Condition: what the networks see of a segment's LQ frames, enlarged, cleaned, averaged along the motion and encoded."""

from __future__ import annotations

from collections.abc import Generator
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import Tensor

from mgld import errors
from mgld.canvas import Canvas, from_u8
from mgld.clock import Clock
from mgld.constants import FEATURES_BYTES
from mgld.events import Event
from mgld.flow.temporal_filter import temporally_filtered
from mgld.methods import is_filtered
from mgld.nets.cleaner import Cleaner, cleaned
from mgld.sampling.noise import noise_of
from mgld.sampling.segments import padded
from mgld.sampling.tiles import blend
from mgld.segment import Piece, SegmentRun, TileSides, View, Watch
from mgld.settings import Settings
from mgld.stages.motion import flow_of
from mgld.stages.networks import Networks, finite

Features = list[list[Tensor]]
"""The encoder's, of each tile, which CFW mixes in."""


class Condition(NamedTuple):
    """The LQ latent [T,c,h,w] (float32, scaled) and the features; None where they are too large to be kept."""

    z_lq: Tensor
    features: Features | None
    image_px: int  # side of the tiles that they are of


def segment_of(
    nets: Networks,
    piece: Piece,
    settings: Settings,
    clock: Clock,
    watch: Watch,
    sides: TileSides,
    z_known: np.ndarray | None = None,
) -> SegmentRun:
    """Return a segment ready to be worked on: enlarged to its canvas, with the noise of its frames; seen when it has to be."""
    canvas = nets.canvas_for(*piece.frames_u8.shape[1:3])
    frames_u8, device = piece.frames_u8, nets.vae.device
    if settings.last_segment == "padded":
        frames_u8 = np.stack(padded(list(frames_u8), settings.segment))
    x_lq = canvas.enlarge(frames_u8, device)
    clock.mark("condition")
    return SegmentRun(
        settings, clock, watch, canvas, sides, piece.first, piece.times_s, piece.begins_scene, piece.ends_scene,
        x_lq, cache(partial(_view, nets, settings, clock, canvas, frames_u8, x_lq)),
        noise_of(settings, piece.first, len(frames_u8)), None if z_known is None else torch.from_numpy(z_known).to(device),
    )  # fmt: skip


def _view(
    nets: Networks, settings: Settings, clock: Clock, canvas: Canvas, frames_u8: np.ndarray, x_lq: Tensor
) -> View:
    """Return what the networks see of frames u8 [T,h,w,3] that are enlarged to x_lq [T,3,H,W]."""
    x_seen = x_lq
    if (cleaner := nets.cleaner_for(settings)) is not None:
        x_seen = cleaned(x_lq, _missing(cleaner, nets.cast(from_u8(frames_u8).to(x_lq.device)), canvas))
        clock.mark("condition")
    if not is_filtered(settings):
        return View(x_seen, x_lq)
    flow_px = flow_of(nets, x_lq, settings)
    x_coloured = temporally_filtered(x_lq, flow_px).clamp(-1, 1)
    x_seen = x_coloured if cleaner is None else temporally_filtered(x_seen, flow_px).clamp(-1, 1)
    clock.mark("motion")
    return View(x_seen, x_coloured, flow_px)


def _missing(cleaner: Cleaner, x_small: Tensor, canvas: Canvas) -> Tensor:
    """Return what the cleaner says that frames x_small [T,3,h,w] lack, on their canvas [T,3,H,W]."""
    missing = cleaner(x_small).float()
    if missing.shape[-2:] != canvas.enlarged_hw:
        missing = F.interpolate(missing, size=canvas.enlarged_hw, mode="bicubic", align_corners=False)
    return canvas.pad(missing)


def condition_of(nets: Networks, segment: SegmentRun) -> Generator[Event, None, Condition]:
    """Encode the LQ frames, tile by tile.

    The LQ latent is drawn from the posterior, as published. The features are kept for the decoder, unless those of all tiles
    would fill the memory: then each tile's are computed again when it is decoded.
    """
    yield segment.progress("condition")
    factor, wanted, parts = nets.vae.factor, segment.settings, []
    kept: Features | None = [] if wanted.cfw and nets.keeps_features else None
    for y, x, tile in segment.image_tiles(segment.view().x_seen, factor):
        posterior, features = _encoded(nets, tile, wanted)
        kept = _kept_with(kept, features)
        parts.append((y // factor, x // factor, (posterior.mean.float(), posterior.std.float())))
    cells_hw = segment.size_hw[0] // factor, segment.size_hw[1] // factor
    mean, std = (blend([(y, x, p[i]) for y, x, p in parts], cells_hw, wanted.blending) for i in (0, 1))
    z_lq = (mean + std * segment.noise.draw(mean.shape[1:], mean.device)) * nets.vae.config.scaling_factor
    segment.clock.mark("condition")
    return Condition(finite(z_lq, errors.AT_ENCODING), kept, segment.tiles.image_px)


def _encoded(
    nets: Networks, tile: Tensor, wanted: Settings
) -> tuple[DiagonalGaussianDistribution, list[Tensor] | None]:
    """Return the latent's distribution and the features for CFW; the latent may be a first stage's, which has none of these."""
    first_stage = nets.first_stage_for(wanted)
    if first_stage is None:
        return nets.encoded(tile)
    return nets.with_room(lambda: first_stage().encode(nets.cast(tile)))[0], None


def _kept_with(kept: Features | None, more: list[Tensor] | None) -> Features | None:
    """Return the features that are kept with those of one more tile; None from where on they are too large."""
    if kept is None or more is None:
        return None
    together = [*kept, more]
    return together if sum(x.nbytes for tile in together for x in tile) <= FEATURES_BYTES else None
