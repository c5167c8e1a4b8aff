"""Motion guidance: pull each latent towards its motion-warped neighbours while sampling (paper §3.2, Eq. 4–5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mgld.flow import Motion
from mgld.flow.carry import Carry
from mgld.flow.ops import warp
from mgld.settings import GUIDANCE_MODES, exhaustive


@dataclass(frozen=True)
class StepState:
    """What guidance may know of the sampling step that was just taken."""

    z0: Tensor  # x̂0 [T,c,h,w]
    variance: float  # σ² of the posterior
    log_variance: float  # clipped, as published
    alpha: float  # ᾱ before the step
    alpha_after: float  # ᾱ after it, at most that of the least noisy training timestep


Residuals = tuple[Tensor, Tensor]
"""The terms of Eq. 4, visible ⊙ (warp(neighbour) - z): of frames 0 … T-2 with the next, of frames 1 … T-1 with the one before."""


def residuals(z: Tensor, motion: Motion, carry: Carry = warp) -> Residuals:
    """Return the residuals of z [T,c,h,w], both [T-1,c,h,w]; carry is the paper's warp or a better one."""
    if len(z) < 2:
        return z[:0], z[:0]
    backward = motion.visible_in_next * (carry(z[1:], motion.to_next) - z[:-1])
    forward = motion.visible_in_previous * (carry(z[:-1], motion.to_previous) - z[1:])
    return backward, forward


def magnitude(apart: Residuals) -> Tensor:
    """Return the sum of the residuals' absolute values (Eq. 4)."""
    backward, forward = apart
    return backward.abs().sum() + forward.abs().sum()


def paper_loss(z: Tensor, motion: Motion) -> Tensor:
    """Return Eq. 4 of z [T,c,h,w], which the paper warps."""
    return magnitude(residuals(z, motion))


def released_loss(z: Tensor, motion: Motion) -> Tensor:
    """The published code's loss with its two defects, kept for parity (spec §5.3).

    Its first term in each direction compares with zeros, and every other term warps with the flow of the neighbouring pair.
    """
    last = len(z) - 1
    total = (motion.visible_in_next[last - 1] * z[last - 1]).abs().mean()
    total = total + (motion.visible_in_previous[0] * z[1]).abs().mean()
    if last > 1:  # all pairs at once: on a GPU every launch costs as much as what it does
        inner = z[1:last]
        later = motion.visible_in_next[: last - 1] * (warp(inner, motion.to_next[1:]) - z[: last - 1])
        earlier = motion.visible_in_previous[1:] * (warp(inner, motion.to_previous[: last - 1]) - z[2:])
        total = total + later.abs().mean((1, 2, 3)).sum() + earlier.abs().mean((1, 2, 3)).sum()
    return total


def guidance_step(
    z: Tensor,
    motion: Motion,
    state: StepState,
    strength: float,
    mode: str,
    apart: Callable[[], Residuals] | None = None,
) -> Tensor:
    """Return z [T,c,h,w] moved against the motion loss in one of MODES; the same object where there is nothing to do.

    apart tells the residuals of the clean estimate, which "corrected" follows; without it they are warped. The published modes warp
    what they follow themselves. Raises KeyError for a mode that is not in MODES.
    """
    if strength == 0 or len(z) < 2:
        return z
    return z + MODES[mode](z, motion, state, strength, apart or (lambda: residuals(state.z0.float(), motion)))


def _released(z: Tensor, motion: Motion, state: StepState, strength: float, _: Callable[[], Residuals]) -> Tensor:
    """Return the published code's displacement, -s·|log σ²|·∂E/∂z, s = 10 published (spec §5.4).

    Its log σ² is negative, so that its factor of -10 descends.
    """
    return -strength * abs(state.log_variance) * _gradient(released_loss, z, motion)


def _paper(z: Tensor, motion: Motion, state: StepState, strength: float, _: Callable[[], Residuals]) -> Tensor:
    """Return the displacement as printed, -s·σ²·∂E/∂z (Eq. 5)."""
    return -strength * state.variance * _gradient(paper_loss, z, motion)


def _gradient(loss: Callable[[Tensor, Motion], Tensor], z: Tensor, motion: Motion) -> Tensor:
    with torch.enable_grad():
        leaf = z.detach().float().requires_grad_(True)
        return torch.autograd.grad(loss(leaf, motion), leaf)[0]


def _corrected(z: Tensor, motion: Motion, state: StepState, strength: float, apart: Callable[[], Residuals]) -> Tensor:
    """Return the displacement of `corrected` guidance.

    The noise of neighbouring frames is independent, so the post-step latents that the paper compares differ mostly by noise; x̂0
    does not. The pull is the half-way residual of each visible pair (the Newton step of Eq. 4 with squares in place of absolute
    values), averaged over the one or two neighbours that see the pixel, hence independent of resolution and clip length. Its share
    per step is 1 - (σ_after/σ)^strength, so that what the shares of a run leave over multiplies to (σ_least/σ_first)^strength
    whatever its number of steps; √ᾱ_after carries it from x̂0 to the scale of z. Hidden pixels stay where they are.
    """
    backward, forward = apart()
    pull, seen = torch.zeros_like(z), torch.zeros_like(z[:, :1])
    pull[:-1] += backward
    pull[1:] += forward
    seen[:-1] += motion.visible_in_next
    seen[1:] += motion.visible_in_previous
    noise_kept = ((1 - state.alpha_after) / (1 - state.alpha)) ** 0.5
    share = 1 - noise_kept**strength
    return state.alpha_after**0.5 * share * 0.5 * pull / seen.clamp(min=1)


Displacement = Callable[[Tensor, Motion, StepState, float, Callable[[], Residuals]], Tensor]
"""(z [T,c,h,w], motion, state, strength, apart) -> what is added to z; a new mode is one of these and its name in settings."""

MODES: dict[str, Displacement] = exhaustive(
    {"released": _released, "paper": _paper, "corrected": _corrected}, GUIDANCE_MODES
)
