"""The sampling loop: denoise, step, guide, yield. Closing the generator stops it."""

from __future__ import annotations

from collections import deque
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
    Raises UserError when the numbers stop being finite. A GPU is told of the next step before it has done this one: it never
    waits for Python, and is at most one step behind when the generator is closed.
    """
    z, total, checks = z.float(), len(scheduler.timesteps), deque[FiniteCheck]()
    timesteps = scheduler.timesteps.to(z.device)
    for index, t in enumerate(scheduler.timesteps):
        output = denoise(z, timesteps[index : index + 1])
        z0 = schedule.clean_estimate(scheduler, z, output, index)
        if isinstance(scheduler, DDPMScheduler):
            fresh = noise.draw(z.shape[1:], z.device) if index + 1 < total else None
            z = schedule.ancestral_step(scheduler, z, z0, index, fresh)
        elif isinstance(scheduler, DDIMScheduler):
            z = schedule.deterministic_step(scheduler, z, z0, index)
        else:
            z = scheduler.step(output, t, z).prev_sample
        if guide is not None:
            z = guide(z, _state(scheduler, z0, index))
        checks.append(FiniteCheck(z, index + 1))
        while len(checks) > (1 if z.is_cuda and index + 1 < total else 0):
            checks.popleft().settle()
        yield Step(index, total, z, z0)


class FiniteCheck:
    """Whether all numbers after step `count` are finite, found out on their device, which goes on meanwhile."""

    def __init__(self, z: Tensor, count: int) -> None:
        self._count = count
        self._finite = torch.isfinite(z).all().to("cpu", non_blocking=True)
        self._known = torch.cuda.Event() if z.is_cuda else None
        if self._known is not None:
            self._known.record(torch.cuda.current_stream(z.device))

    def settle(self) -> None:
        """Wait for the answer; raise UserError if it is no."""
        if self._known is not None:
            self._known.synchronize()
        if not self._finite:
            raise errors.numbers_broken(self._count)


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
