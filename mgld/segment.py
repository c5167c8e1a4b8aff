"""One segment on its way through the engine, and what a listener wants to see of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from mgld.canvas import Canvas
from mgld.clock import Clock
from mgld.events import Progress
from mgld.methods import overlap_of
from mgld.sampling.noise import FrameNoise
from mgld.settings import Settings


@dataclass(frozen=True)
class Watch:
    """What a listener wants to see beside the results: the estimate every so many seconds, and what guidance does."""

    preview_every_s: float | None = None
    guidance: bool = False


NOTHING_WATCHED = Watch()


@dataclass(frozen=True)
class SegmentRun:
    """One segment on its way through the engine: its frames, what is wanted of them, and where the run stands."""

    settings: Settings
    clock: Clock
    watch: Watch
    canvas: Canvas
    first: int  # its first frame in the clip
    times_s: tuple[float, ...]
    begins_scene: bool
    ends_scene: bool
    x_lq: Tensor  # [T,3,H,W] in [-1,1], enlarged and padded
    noise: FrameNoise
    z_known: Tensor | None = None  # [T,c,h,w] float32, what an equal run sampled

    @property
    def ready(self) -> int:
        """Count its frames that no later segment will touch."""
        return len(self.x_lq) if self.ends_scene else len(self.x_lq) - overlap_of(self.settings)

    def progress(self, stage: str, step: int = 0, steps: int = 1) -> Progress:
        """Return where the run stands."""
        return self.clock.progress(self.first, step, steps, stage)


class Condition(NamedTuple):
    """The LQ latent [T,c,h,w] (float32, scaled) and the encoder's features of each tile for CFW; None where they are too large."""

    z_lq: Tensor
    features: list[list[Tensor]] | None
