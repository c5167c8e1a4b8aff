"""Sample: from noise to a segment's latent, pulled along the motion."""

from __future__ import annotations

import time
from collections.abc import Generator
from functools import cache, partial

import torch
from torch import Tensor

from mgld.canvas import to_u8
from mgld.events import Event, Preview, Sampled
from mgld.flow import Motion
from mgld.flow.carry import Carry
from mgld.methods import METHODS
from mgld.nets.deepcache import DeepCache
from mgld.sampling import schedule
from mgld.sampling.guidance import StepState, guidance_step, residuals
from mgld.sampling.record import GuidanceRecord
from mgld.sampling.sampler import Denoise, Guide, Step, sample
from mgld.sampling.tiles import tiled
from mgld.segment import SegmentRun, parts_of, with_room
from mgld.stages.condition import Condition, condition_of
from mgld.stages.motion import motion_of
from mgld.stages.networks import Networks


def sampled(nets: Networks, segment: SegmentRun) -> Generator[Event, None, tuple[Condition | None, Tensor]]:
    """Return a segment's condition and its latent z [T,c,h,w], float32; neither depends on any other segment.

    The latents of tiles that are worked on alone lie side by side; then, and where the latent is known, the condition is None.
    """
    return (yield from with_room(segment, partial(sampled_once, nets)))


def sampled_once(nets: Networks, segment: SegmentRun) -> Generator[Event, None, tuple[Condition | None, Tensor]]:
    """Return what `sampled` does, in tiles of the sides that the segment has now; short memory is raised as it came."""
    if segment.z_known is not None:
        return None, segment.z_known
    motion, latents = (yield from motion_of(nets, segment)), []
    parts = parts_of(segment, motion, nets.vae.factor)
    for part in parts:
        condition = yield from condition_of(nets, part.run)
        latents.append((yield from _denoised(nets, part.run, condition, part.motion)))
    z = torch.cat(latents, -1)
    yield Sampled(segment.first, z.cpu().numpy())
    return condition if len(parts) == 1 else None, z


def _denoised(
    nets: Networks, segment: SegmentRun, condition: Condition, motion: Motion | None
) -> Generator[Event, None, Tensor]:
    """Denoise from the noised LQ latent (spec §4), pulled along the motion; return z [T,c,h,w], float32."""
    wanted, z_lq = segment.settings, condition.z_lq
    scheduler = schedule.make_scheduler(nets.scheduler.config, wanted.sampler, wanted.steps, wanted.first_timestep)
    fresh = segment.noise.draw(z_lq.shape[1:], z_lq.device)
    z_start = schedule.initial_latent(z_lq, nets.scheduler, fresh, wanted.first_timestep)
    record = GuidanceRecord(motion, nets.carry) if segment.watch.guidance and motion is not None else None
    guide = None if motion is None else _guide(segment, motion, nets.carry, record)
    shown = time.monotonic()
    for step in sample(_denoiser(nets, segment, z_lq), scheduler, z_start, segment.noise, guide):
        segment.clock.mark("sample")
        yield segment.progress("sample", step.index + 1, step.total)
        every_s = segment.watch.preview_every_s
        if every_s is not None and time.monotonic() - shown > every_s:
            yield _preview(nets, step, segment.first)
            shown = time.monotonic()
    if record is not None:
        yield record.event(segment.first)
    return step.z


def _denoiser(nets: Networks, segment: SegmentRun, z_lq: Tensor) -> Denoise:
    """Return the network's prediction as a function of z [T,c,h,w] and t [1], tile by tile."""
    frames, tile = len(z_lq), segment.tiles.latent
    temporal, every = METHODS[segment.settings.method].motion_guided, segment.settings.deepcache
    deep = DeepCache(nets.structure_encoder, nets.unet, every) if every > 1 else None

    def denoise(z: Tensor, t: Tensor) -> Tensor:
        def one_tile(z_tile: Tensor, y: int, x: int) -> Tensor:
            lq = z_lq[..., y : y + z_tile.shape[-2], x : x + z_tile.shape[-1]]
            if deep is not None:
                return deep.predict((y, x), nets.cast(z_tile), nets.cast(lq), t, frames, temporal).float()
            return nets.predicted((z_tile, lq, t), (frames, temporal))

        return tiled(one_tile, z, tile, tile // 2)

    return denoise


def _guide(segment: SegmentRun, motion: Motion, carry: Carry, record: GuidanceRecord | None) -> Guide:
    """Return what moves the latent after each step, and tells the record of it if there is one."""
    wanted = segment.settings

    def guide(z: Tensor, state: StepState) -> Tensor:
        apart = cache(lambda: residuals(state.z0.float(), motion, carry))
        moved = guidance_step(z, motion, state, wanted.guidance, wanted.guidance_mode, apart)
        if record is not None:
            record.add(z, moved, state, apart())
        return moved

    return guide


def _preview(nets: Networks, step: Step, first: int) -> Preview:
    """Show the clean estimate of a segment's middle frame; first is its first frame."""
    middle = len(step.z0) // 2
    z = nets.cast(step.z0[middle : middle + 1] / nets.vae.config.scaling_factor)
    return Preview(first + middle, to_u8(nets.vae.decode(z, None, 1, fidelity=0.0, temporal=False))[0])
