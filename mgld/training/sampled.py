"""The sampler's own one or two steps, with gradients through the last of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers import DDPMScheduler
from torch import Tensor, nn

from mgld.nets import Cleaner, StructureEncoder, VideoUNet, VideoVAE
from mgld.nets.cleaner import seen
from mgld.sampling.schedule import clean_of, posterior_mean

USUAL_SECOND = 0.6  # of second steps begin at USUAL_TIMESTEP, as the sampler's do; the others at a random lower one
USUAL_TIMESTEP, LOWEST_TIMESTEP, HIGHEST_TIMESTEP = 499, 20, 950


@dataclass
class Nets:
    """The networks, the noise schedule and the phase of the few-step stage, which tells what of them is trained."""

    vae: VideoVAE
    unet: VideoUNet
    encoder: StructureEncoder
    scheduler: DDPMScheduler
    phase: str
    dtype: torch.dtype
    cleaner: Cleaner | None = None

    @property
    def temporal(self) -> bool:
        """Tell whether the temporal layers take part."""
        return self.phase == "temporal"

    @property
    def gate_alone(self) -> bool:
        """Tell whether all but the decoder's gate stays as it is."""
        return self.phase == "gate"

    @property
    def modules(self) -> dict[str, nn.Module]:
        """Name the networks that there are."""
        made = {"vae": self.vae, "unet": self.unet, "encoder": self.encoder}
        return made if self.cleaner is None else made | {"cleaner": self.cleaner}

    def seen(self, lq: Tensor, enlarged: Tensor) -> Tensor:
        """Return what the autoencoder sees of lq [N,3,h,w] and the same enlarged: cleaned, where there is a cleaner."""
        with self.autocast():
            return seen(lq, enlarged, self.cleaner)

    def autocast(self) -> torch.autocast:
        """Compute in the run's precision."""
        return torch.autocast(self.vae.device.type, self.dtype, enabled=self.dtype != torch.float32)

    def alpha(self, timestep: Tensor) -> Tensor:
        """Return ᾱ [1] at a timestep [1]."""
        return self.scheduler.alphas_cumprod.index_select(0, timestep)

    def last(self, device: torch.device) -> Tensor:
        """Return the noisiest timestep [1]."""
        return torch.full((1,), len(self.scheduler.alphas_cumprod) - 1, device=device)

    def clean(self, z: Tensor, z_lq: Tensor, timestep: Tensor, frames: int) -> Tensor:
        """Return x̂0 of z [N,c,h,w] at one timestep [1]."""
        with self.autocast():
            output = self.unet(z, timestep, self.encoder(z_lq, timestep), frames, temporal=self.temporal).float()
        return clean_of(self.scheduler, z, output, self.alpha(timestep))

    def in_steps(self, z_lq: Tensor, frames: int, second: Tensor | None) -> Tensor:
        """Return what the sampler makes of z_lq in one step, or in two, from `second` [1] on; the last alone has gradients."""
        last = self.last(z_lq.device)
        alpha = self.alpha(last)
        z = alpha.sqrt() * z_lq + (1 - alpha).sqrt() * torch.randn_like(z_lq)
        if second is None:
            return self.clean(z, z_lq, last, frames)
        with torch.no_grad():
            z0 = self.clean(z, z_lq, last, frames)
        return self.clean(_posterior(z, z0, alpha, self.alpha(second)), z_lq, second, frames)


def _posterior(z: Tensor, z0: Tensor, now: Tensor, after: Tensor) -> Tensor:
    """Draw z at the noise level ᾱ = after from DDPM's posterior, given z at ᾱ = now and the clean estimate."""
    variance = (1 - now / after) * (1 - after) / (1 - now)
    return posterior_mean(z, z0, now, after) + variance.sqrt() * torch.randn_like(z)


def second_timestep(device: torch.device) -> Tensor:
    """Draw where the second sampling step of a training step begins, [1]."""
    lower = torch.randint(LOWEST_TIMESTEP, HIGHEST_TIMESTEP, (1,), device=device)
    return torch.where(torch.rand(1, device=device) < USUAL_SECOND, torch.full_like(lower, USUAL_TIMESTEP), lower)
