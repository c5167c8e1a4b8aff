"""One segment on its way through the engine, and what a listener wants to see of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from torch import Tensor

from mgld.canvas import Canvas
from mgld.clock import Clock
from mgld.events import Progress
from mgld.flow.cuts import is_cut
from mgld.methods import finds_scenes, overlap_of
from mgld.sampling.noise import FrameNoise
from mgld.sampling.segments import cover
from mgld.settings import Settings
from mgld.video import Frame


@dataclass(frozen=True)
class Watch:
    """What a listener wants to see beside the results: the estimate every so many seconds, and what guidance does."""

    preview_every_s: float | None = None
    guidance: bool = False


NOTHING_WATCHED = Watch()


@dataclass(frozen=True)
class Piece:
    """A segment as it is cut from its clip, before any network: all of the clip that its sampling depends on."""

    first: int  # its first frame in the clip
    frames_u8: np.ndarray  # [T,h,w,3]
    times_s: tuple[float, ...]
    begins_scene: bool
    ends_scene: bool


def cut(frames: Iterable[Frame], settings: Settings) -> Iterator[Piece]:
    """Cut a clip into segments, which end where a scene does; holds one segment and one frame."""
    overlap, first, begins_scene = overlap_of(settings), 0, True
    found = _begins_scene if finds_scenes(settings) else None
    for clip, ends_scene in cover(iter(frames), settings.segment, overlap, found):
        frames_u8, times_s = np.stack([f.rgb_u8 for f in clip]), tuple(f.time_s for f in clip)
        yield Piece(first, frames_u8, times_s, begins_scene, ends_scene)
        first += len(clip) if ends_scene else len(clip) - overlap
        begins_scene = ends_scene


def _begins_scene(earlier: Frame, later: Frame) -> bool:
    return is_cut(earlier.rgb_u8, later.rgb_u8)


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
    """The LQ latent [T,c,h,w] (float32, scaled) and the encoder's features for CFW; None where each tile needs its own."""

    z_lq: Tensor
    features: list[Tensor] | None
