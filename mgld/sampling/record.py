"""What motion guidance did to a segment: how far it lowered the disagreement along the motion, and where it moved the latent."""

from __future__ import annotations

import torch
from torch import Tensor

from mgld.events import Guided
from mgld.flow import Motion
from mgld.flow.carry import Carry
from mgld.flow.ops import warp
from mgld.sampling.guidance import StepState, paper_loss


class GuidanceRecord:
    """Collect each step's before and after; costs two warps of the latent a step: only for listeners who ask."""

    def __init__(self, motion: Motion, carry: Carry = warp) -> None:
        self._motion, self._carry = motion, carry
        self._pairs: list[tuple[float, float]] = []
        self._moved = motion.to_next.new_zeros(())

    @torch.no_grad()
    def add(self, before: Tensor, after: Tensor, state: StepState) -> None:
        """Take the latents [T,c,h,w] around one guidance step.

        The displacement is told on the scale of x̂0 (divided by √ᾱ after the step): there the latents of all steps, and of all
        modes, can be compared, while z itself is mostly noise at first.
        """
        shift = (after - before).float() / state.alpha_after**0.5
        self._pairs.append((self._disagreement(state.z0), self._disagreement(state.z0 + shift)))
        self._moved = self._moved + shift.abs().mean(1)

    def event(self, first_frame: int) -> Guided:
        """Return everything as arrays that can leave this process."""
        before, after = zip(*self._pairs, strict=True) if self._pairs else ((), ())
        moved = self._moved.cpu().numpy() if self._pairs else None
        to_next, hidden = self._motion.to_next.cpu().numpy(), 1 - self._motion.visible_in_next[:, 0].cpu().numpy()
        return Guided(first_frame, to_next, hidden > 0.5, before, after, moved)

    def _disagreement(self, z0: Tensor) -> float:
        """Return Eq. 4 as a mean: |warped neighbour − x̂0| per visible element, of any resolution and clip length."""
        if len(z0) < 2:
            return 0.0
        seen = self._motion.visible_in_next.sum() + self._motion.visible_in_previous.sum()
        return float(paper_loss(z0.float(), self._motion, self._carry) / (seen * z0.shape[1]).clamp(min=1))
