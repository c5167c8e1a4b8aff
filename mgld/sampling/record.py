"""What motion guidance did to a segment: how far it lowered the disagreement along the motion, and where it moved the latent."""

from __future__ import annotations

import torch
from torch import Tensor

from mgld.events import Guided
from mgld.flow import Motion
from mgld.flow.carry import Carry
from mgld.sampling.guidance import Residuals, StepState, magnitude, residuals


class GuidanceRecord:
    """Collect each step's before and after; carries the latent once more a step: only for listeners who ask."""

    def __init__(self, motion: Motion, carry: Carry) -> None:
        self._motion, self._carry = motion, carry
        self._pairs: list[tuple[float, float]] = []
        self._moved = motion.to_next.new_zeros(())

    @torch.no_grad()
    def add(self, before: Tensor, after: Tensor, state: StepState, apart: Residuals) -> None:
        """Take the latents [T,c,h,w] around one guidance step, and the residuals of the clean estimate before it.

        The displacement is told on the scale of x̂0 (divided by √ᾱ after the step): there the latents of all steps, and of all
        modes, can be compared, while z itself is mostly noise at first.
        """
        shift = (after - before).float() / state.alpha_after**0.5
        apart_after = residuals(state.z0.float() + shift, self._motion, self._carry)
        self._pairs.append((self._disagreement(apart), self._disagreement(apart_after)))
        self._moved = self._moved + shift.abs().mean(1)

    def event(self, first_frame: int) -> Guided:
        """Return everything as arrays that can leave this process."""
        before, after = zip(*self._pairs, strict=True) if self._pairs else ((), ())
        moved = self._moved.cpu().numpy() if self._pairs else None
        to_next, hidden = self._motion.to_next.cpu().numpy(), 1 - self._motion.visible_in_next[:, 0].cpu().numpy()
        return Guided(first_frame, to_next, hidden > 0.5, before, after, moved)

    def _disagreement(self, apart: Residuals) -> float:
        """Return Eq. 4 as a mean: |warped neighbour − x̂0| per visible element, of any resolution and clip length."""
        seen = self._motion.visible_in_next.sum() + self._motion.visible_in_previous.sum()
        return float(magnitude(apart) / (seen * apart[0].shape[1]).clamp(min=1))
