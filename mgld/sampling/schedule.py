"""Noise schedules: diffusers' schedulers, the start from the LQ latent, and the variance that guidance is weighted by."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from torch import Tensor

from mgld.settings import SAMPLERS, exhaustive

Scheduler: TypeAlias = DDPMScheduler | DDIMScheduler | DPMSolverMultistepScheduler
Level: TypeAlias = float | Tensor  # ᾱ; [1] where it must stay on a device

SHARED = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "prediction_type", "timestep_spacing")
SMALLEST_VARIANCE = 1e-20  # the published code clips here before it takes the logarithm


def make_scheduler(config: Mapping[str, object], name: str, steps: int, start: int | None = None) -> Scheduler:
    """Return a ready scheduler of MAKERS; `steps` evenly spaced from timestep `start`, or from the last. KeyError for another name.

    config is the model folder's scheduler config; its schedule, spacing and prediction type hold for all.
    """
    scheduler = MAKERS[name]({key: config[key] for key in SHARED})
    last = scheduler.config.num_train_timesteps - 1
    if start not in (None, last):
        return _started_at(scheduler, start, steps)
    scheduler.set_timesteps(steps)
    if steps == 1:  # linspace of one point is 0, which would skip the sampling
        scheduler.timesteps = torch.tensor([last])
    return scheduler


def _started_at(scheduler: Scheduler, start: int, steps: int) -> Scheduler:
    """Space steps from a timestep below the last as the scheduler does from the last; diffusers' DDPM and DDIM know only that."""
    multistep = isinstance(scheduler, DPMSolverMultistepScheduler)
    if scheduler.config.timestep_spacing == "trailing":
        timesteps = [round((start + 1) * (1 - i / steps)) - 1 for i in range(steps)]
    else:  # linspace, which ends at 0 but for the multistep solver
        timesteps = [round(start * (1 - i / max(steps - (not multistep), 1))) for i in range(steps)]
    if multistep:
        scheduler.set_timesteps(timesteps=timesteps)
    else:
        scheduler.timesteps = torch.tensor(timesteps)
    return scheduler


MAKERS: dict[str, Callable[[dict], Scheduler]] = exhaustive(
    {
        "ddpm": lambda shared: DDPMScheduler(**shared, variance_type="fixed_small", clip_sample=False),  # as published
        "ddim": lambda shared: DDIMScheduler(**shared, clip_sample=False, set_alpha_to_one=True),
        "dpm++": lambda shared: DPMSolverMultistepScheduler(
            **shared, algorithm_type="dpmsolver++", final_sigmas_type="zero"
        ),
    },
    SAMPLERS,
)


def initial_latent(z_lq: Tensor, scheduler: DDPMScheduler, noise: Tensor, start: int = -1) -> Tensor:
    """Return √ᾱ_T·z_LQ + √(1-ᾱ_T)·noise at timestep start, the last one if need be (spec §4): it is never pure noise."""
    alpha = scheduler.alphas_cumprod[start].to(z_lq.device)
    return alpha.sqrt() * z_lq + (1 - alpha).sqrt() * noise


def alphas(scheduler: Scheduler, index: int) -> tuple[float, float]:
    """Return ᾱ at step `index` of the run and after it (1 after the last), index 0 first."""
    steps = scheduler.timesteps
    now = float(scheduler.alphas_cumprod[int(steps[index])])
    after = float(scheduler.alphas_cumprod[int(steps[index + 1])]) if index + 1 < len(steps) else 1.0
    return now, after


def posterior_variance(scheduler: Scheduler, index: int) -> float:
    """Return σ² of the respaced posterior, β'(1-ᾱ_prev)/(1-ᾱ) ("fixed small"); 0 at the last step."""
    now, after = alphas(scheduler, index)
    return (1 - now / after) * (1 - after) / (1 - now)


def posterior_log_variance(scheduler: Scheduler, index: int) -> float:
    """Return log σ², clipped as published: -46.05 at the last step."""
    return math.log(max(posterior_variance(scheduler, index), SMALLEST_VARIANCE))


def clean_estimate(scheduler: Scheduler, z: Tensor, output: Tensor, index: int) -> Tensor:
    """Return x̂0 from the network's output at step `index`."""
    return clean_of(scheduler, z, output, alphas(scheduler, index)[0])


def clean_of(scheduler: Scheduler, z: Tensor, output: Tensor, now: Level) -> Tensor:
    """Return x̂0 from the network's output at ᾱ = now."""
    if scheduler.config.prediction_type == "epsilon":
        return (z - _root(1 - now) * output) / _root(now)
    return _root(now) * z - _root(1 - now) * output  # v


def posterior_mean(z: Tensor, z0: Tensor, now: Level, after: Level) -> Tensor:
    """Return c1·x̂0 + c2·z of DDPM's posterior at ᾱ = after, given z at ᾱ = now and the clean estimate."""
    beta = 1 - now / after
    return _root(after) * beta / (1 - now) * z0 + _root(1 - beta) * (1 - after) / (1 - now) * z


def _root(level: Level) -> Level:
    return level.sqrt() if isinstance(level, Tensor) else math.sqrt(level)


def ancestral_step(scheduler: DDPMScheduler, z: Tensor, z0: Tensor, index: int, noise: Tensor | None) -> Tensor:
    """Take one DDPM step (spec §4): c1·x̂0 + c2·z, plus σ·noise except at the last step.

    diffusers' step() draws its noise itself; ours comes from one generator per frame, so that a frame's noise does not depend on
    how the clip was cut. A test holds the two equal.
    """
    mean = posterior_mean(z, z0, *alphas(scheduler, index))
    if noise is None:
        return mean
    return mean + math.exp(0.5 * posterior_log_variance(scheduler, index)) * noise


def deterministic_step(scheduler: DDIMScheduler, z: Tensor, z0: Tensor, index: int) -> Tensor:
    """Take one DDIM step without noise (Song et al. 2021, Eq. 12 with σ = 0).

    diffusers' step() goes back by 1000 // steps timesteps, wherever the next one lies: unless `steps` divides 1000 it removes too
    little noise or too much, and some is left at the end. Where it does, a test holds the two equal.
    """
    now, after = alphas(scheduler, index)
    noise = (z - math.sqrt(now) * z0) / math.sqrt(1 - now)
    return math.sqrt(after) * z0 + math.sqrt(1 - after) * noise
