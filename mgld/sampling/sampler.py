"""The sampling loop: denoise, step, guide, yield. Closing the generator stops it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from diffusers import DDIMScheduler, DDPMScheduler
from torch import Tensor

from mgld import errors
from mgld.sampling import schedule
from mgld.sampling.guidance import StepState
from mgld.sampling.noise import FrameNoise

Denoise = Callable[[Tensor, Tensor], Tensor]
Guide = Callable[[Tensor, StepState], Tensor]


@dataclass(frozen=True)
class Step:
    """State after one step: index (0 first) of total, the latent z and the clean estimate z0, both [T,c,h,w] float32."""

    index: int
    total: int
    z: Tensor
    z0: Tensor


@torch.no_grad()
def sample(
    denoise: Denoise, scheduler: schedule.Scheduler, z: Tensor, noise: FrameNoise, guide: Guide | None = None
) -> Iterator[Step]:
    """Run every step of a ready scheduler from latents z [T,c,h,w]; the last z is the result.

    denoise(z, t [1]) returns the network's prediction. guide(z, state) may move the latent after each step (paper §3.2).
    Raises UserError when the numbers stop being finite.
    """
    z, total = z.float(), len(scheduler.timesteps)
    for index, t in enumerate(scheduler.timesteps):
        output = denoise(z, t.reshape(1).to(z.device))
        z0 = schedule.clean_estimate(scheduler, z, output, index)
        if isinstance(scheduler, DDPMScheduler):
            fresh = noise.draw(z.shape[1:]).to(z.device) if index + 1 < total else None
            z = schedule.ancestral_step(scheduler, z, z0, index, fresh)
        elif isinstance(scheduler, DDIMScheduler):
            z = schedule.deterministic_step(scheduler, z, z0, index)
        else:
            z = scheduler.step(output, t, z).prev_sample
        if guide is not None:
            z = guide(z, _state(scheduler, z0, index))
        if not torch.isfinite(z).all():
            raise errors.numbers_broken(index + 1)
        yield Step(index, total, z, z0)


def _state(scheduler: schedule.Scheduler, z0: Tensor, index: int) -> StepState:
    now, after = schedule.alphas(scheduler, index)
    # The last step leaves no noise at all; measured by ratios of noise, it alone would outweigh all others at any strength.
    after = min(after, float(scheduler.alphas_cumprod[0]))
    return StepState(
        z0,
        schedule.posterior_variance(scheduler, index),
        schedule.posterior_log_variance(scheduler, index),
        now,
        after,
    )
