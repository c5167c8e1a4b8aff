"""A model's networks, and how every stage calls them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from diffusers import DDPMScheduler
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import Tensor

from mgld import errors
from mgld.canvas import Canvas, plan_canvas
from mgld.constants import VAE_TILE
from mgld.events import Outcome
from mgld.flow import FlowNetwork
from mgld.flow.carry import Carry, carry_of
from mgld.nets import Cleaner, StructureEncoder, VideoUNet, VideoVAE
from mgld.nets.replay import Replay
from mgld.segment import TileSides, alone_tile
from mgld.settings import Settings
from mgld.stages.seen import SeenFrames


@dataclass(frozen=True)
class Networks:
    """The networks of a model folder at work, and what they keep between calls.

    predicted is `predict`, replayed where a GPU allows it. flows are the flow networks that were opened so far, by name and the
    range that they see. first_stage opens what encodes the LQ latent where the published system has an autoencoder for that alone.
    """

    vae: VideoVAE
    unet: VideoUNet
    structure_encoder: StructureEncoder
    scheduler: DDPMScheduler
    predicted: Replay
    flows: dict[tuple[str, str], FlowNetwork]
    cleaner: Cleaner | None = None
    first_stage: Callable[[], VideoVAE] | None = None
    memory_format: torch.memory_format = torch.channels_last
    keeps_features: bool = True  # of the encoder, for the decoder; else the frames are encoded twice
    flow_dir: Path | None = None  # of the model's own flow weights
    seen: SeenFrames | None = None  # by the encoder, which then need not see them again

    @cached_property
    def carry(self) -> Carry:
        """Return what carries latents along the motion."""
        return carry_of(self.vae.linear_decoder)

    def cast(self, x: Tensor) -> Tensor:
        """Return x as the networks read it: in their precision and memory layout."""
        return x.to(self.vae.dtype).contiguous(memory_format=self.memory_format)

    def predict(self, z: Tensor, z_lq: Tensor, t: Tensor, frames: int, temporal: bool) -> Tensor:
        """Return the denoiser's prediction, float32, for z [T,c,h,w] at timestep t [1]; z_lq is the LQ latent there."""
        structure = self.structure_encoder(self.cast(z_lq), t)
        return self.unet(self.cast(z), t, structure, frames, temporal=temporal).float()

    def encoded(self, x: Tensor) -> tuple[DiagonalGaussianDistribution, list[Tensor]]:
        """Return the distribution of the latents of x [T,3,H,W] and the encoder's features for CFW."""
        x = self.cast(x)
        return self.with_room(lambda: self.vae.encode(x) if self.seen is None else self.seen.encode(self.vae, x))

    def with_room(self, work: Callable[[], Outcome]) -> Outcome:
        """Do some work; where memory falls short, once more without what recorded denoising steps hold."""
        try:
            return work()
        except torch.OutOfMemoryError:
            if not self.predicted.forget():
                raise
        torch.cuda.empty_cache()  # outside: what was raised holds what the work had made
        return work()

    def canvas_for(self, height: int, width: int) -> Canvas:
        """Return the sizes at which a clip of height × width pixels is worked on."""
        return plan_canvas(height, width, self.unet.config.smallest_sample * self.vae.factor)

    def tile_sides(self, wanted: Settings) -> TileSides:
        """Return the tiles that a run begins with; one that is worked on alone fits into the autoencoder's."""
        denoiser = self.unet.config
        image_px = VAE_TILE[0] if wanted.tiling == "canvas" else alone_tile(wanted)[0]
        return TileSides(denoiser.sample_size, denoiser.smallest_sample, image_px)

    def cleaner_for(self, wanted: Settings) -> Cleaner | None:
        """Return what cleans this run's frames before the autoencoder sees them, if anything does."""
        return self.cleaner if wanted.canvas == "cleaned" else None

    def first_stage_for(self, wanted: Settings) -> Callable[[], VideoVAE] | None:
        """Return what opens the first stage, if the LQ latent of this run is its."""
        return self.first_stage if wanted.encoders == "two" else None


def finite(x: Tensor, when: str) -> Tensor:
    """Return x; raise UserError saying when its numbers stopped being finite."""
    if not torch.isfinite(x).all():
        raise errors.numbers_broken_when(when)
    return x
