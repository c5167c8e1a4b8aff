"""Decode: from a segment's latent to its pictures, in the colours of the input."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial

import torch
from torch import Tensor

from mgld import errors
from mgld.colour import adain, consistent, keep_flat, wavelet
from mgld.events import Event
from mgld.methods import decodes_together
from mgld.sampling.tiles import blend
from mgld.segment import SegmentRun, parts_of, with_room
from mgld.settings import COLOURS, exhaustive
from mgld.stages.condition import Condition
from mgld.stages.networks import Networks, finite

COLOUR_FIXES = exhaustive(
    {
        "consistent": lambda x, segment: consistent(x, segment.view().x_coloured),
        "adain": lambda x, segment: adain(x, segment.x_lq),
        "wavelet": lambda x, segment: wavelet(x, segment.x_lq),
        "none": lambda x, segment: x,
    },
    COLOURS,
)


def decoded(
    nets: Networks, segment: SegmentRun, condition: Condition | None, z: Tensor
) -> Generator[Event, None, Tensor]:
    """Return x [T,3,H,W], float32, of a latent z [T,c,h,w] that is joined to its neighbours, as `sampled` tells it."""
    kept = [condition]  # until memory runs short

    def pictured(again: SegmentRun) -> Generator[Event, None, Tensor]:
        parts = parts_of(again, None, nets.vae.factor)
        known, made = kept.pop() if kept else None, []
        for part, z_part in zip(parts, z.chunk(len(parts), -1), strict=True):
            x = yield from _pictured(nets, part.run, known, z_part)
            made.append((part.top, part.left, _coloured(x, part.run)))
        return blend(made, segment.size_hw, segment.settings.blending)

    return _of_last_copies(segment, (yield from with_room(segment, pictured)))


def _pictured(
    nets: Networks, segment: SegmentRun, condition: Condition | None, z: Tensor
) -> Generator[Event, None, Tensor]:
    """Decode z with the LQ frames' features (CFW), tile by tile; return x [T,3,H,W], float32."""
    yield segment.progress("decode", 1)
    factor, z, wanted = nets.vae.factor, z / nets.vae.config.scaling_factor, segment.settings
    known, parts = None, []
    if condition is not None and condition.image_px == segment.tiles.image_px:  # else memory has since run short
        known = condition.features
    frames = segment.x_lq if known or not wanted.cfw else segment.view().x_seen  # of others only the place is read
    for i, (top, left, tile) in enumerate(segment.image_tiles(frames, factor)):
        y, x, h, w = (px // factor for px in (top, left, *tile.shape[-2:]))
        features = (known[i] if known else nets.encoded(tile)[1]) if wanted.cfw else None
        z_tile = nets.cast(z[..., y : y + h, x : x + w])
        decode = partial(nets.vae.decode, z_tile, features, len(z), wanted.cfw, decodes_together(wanted))
        parts.append((top, left, nets.with_room(decode).float()))
    whole = blend(parts, segment.size_hw, wanted.blending)
    segment.clock.mark("decode")
    return finite(whole, errors.AT_DECODING)


def _coloured(x: Tensor, segment: SegmentRun) -> Tensor:
    """Give x [T,3,H,W] the colours of the segment's input."""
    x = COLOUR_FIXES[segment.settings.colour](x, segment)
    return keep_flat(x, segment.x_lq) if segment.settings.flat == "kept" else x


def _of_last_copies(segment: SegmentRun, x: Tensor) -> Tensor:
    """Return x [T,3,H,W] without what it was padded with: as published, the last frame's picture is that of its last copy."""
    count = len(segment.times_s)
    return x if len(x) == count else torch.cat([x[: count - 1], x[-1:]])
