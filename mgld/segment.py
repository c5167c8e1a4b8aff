"""One segment on its way through the engine, whole or tile by tile, and what a listener wants to see of it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mgld import errors, memory
from mgld.canvas import PAD_PX, Canvas
from mgld.clock import Clock
from mgld.constants import ALONE_TILE, SMALLEST_TILE_PX, STABLESR_TILE, TILE_HALVINGS, VAE_TILE
from mgld.events import Event, Note, Outcome, Progress
from mgld.flow import Motion
from mgld.flow.cuts import is_cut
from mgld.methods import finds_scenes, overlap_of
from mgld.sampling.noise import FrameNoise, noise_of
from mgld.sampling.segments import cover
from mgld.sampling.tiles import image_starts, image_tiles
from mgld.settings import Settings
from mgld.video import Frame

SMALLER_TILES = "memory ran short: from {first_s:.2f} s on, frames are worked on in smaller tiles"


@dataclass(frozen=True)
class Watch:
    """What a listener wants to see beside the results: the estimate every so many seconds, and what guidance does."""

    preview_every_s: float | None = None
    guidance: bool = False


NOTHING_WATCHED = Watch()


@dataclass
class TileSides:
    """Sides of a run's tiles, which shrink where memory runs short: the denoiser's in latent cells, the autoencoder's in pixels."""

    latent: int
    smallest_latent: int
    image_px: int = VAE_TILE[0]
    halved: int = 0

    def stride_px(self, factor: int) -> int:
        """Return how far apart the autoencoder's tiles begin: on the latent's grid, of factor pixels a cell."""
        return max(self.image_px * VAE_TILE[1] // VAE_TILE[0] // factor * factor, factor)

    def halve(self, size_hw: tuple[int, int]) -> bool:
        """Halve what a canvas of size_hw pixels is cut into; False where it has been halved often enough, or is small enough."""
        before = min(self.image_px, max(size_hw)), self.latent
        half_px = before[0] // 2
        self.image_px = min(before[0], max(half_px + -half_px % PAD_PX, SMALLEST_TILE_PX))
        self.latent = min(self.latent, max(self.latent // 2, self.smallest_latent))
        self.halved += 1
        return self.halved <= TILE_HALVINGS and (self.image_px, self.latent) != before


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


class View(NamedTuple):
    """What the networks see of a segment's frames, and the flow along which these were averaged if they were."""

    x_seen: Tensor  # [T,3,H,W] in [-1,1]: cleaned, averaged along the motion, or as enlarged
    x_coloured: Tensor  # the same but for the cleaning, which may not give a cast
    flow_px: Tensor | None = None  # [2(T-1),2,H/4,W/4]


@dataclass(frozen=True)
class SegmentRun:
    """One segment on its way through the engine: its frames, what is wanted of them, and where the run stands."""

    settings: Settings
    clock: Clock
    watch: Watch
    canvas: Canvas
    tiles: TileSides
    first: int  # its first frame in the clip
    times_s: tuple[float, ...]
    begins_scene: bool
    ends_scene: bool
    x_lq: Tensor  # [T,3,H,W] in [-1,1], enlarged and padded; T may be more than its frames (padded with the last one)
    view: Callable[[], View]  # made when it is first asked for: a segment that was finished before is never seen
    noise: FrameNoise
    z_known: Tensor | None = None  # [T,c,h,w] float32, what an equal run sampled
    tile: tuple[int, int] = (0, 1)  # which of how many that are worked on alone

    @property
    def size_hw(self) -> tuple[int, int]:
        """Return its height and width in pixels, enlarged and padded."""
        height, width = self.x_lq.shape[-2:]
        return height, width

    @property
    def ready(self) -> int:
        """Count its frames that no later segment will touch."""
        return len(self.times_s) if self.ends_scene else len(self.times_s) - overlap_of(self.settings)

    def finish(self, x: Tensor) -> np.ndarray:
        """Return the frames u8 [n,4h,4w,3] that no later segment will touch, of x [T,3,H,W] that is joined to its neighbours."""
        return self.canvas.finish(x[: self.ready], self.settings.rounding)

    def progress(self, stage: str, step: int = 0, steps: int = 1) -> Progress:
        """Return where the run stands."""
        index, count = self.tile
        return self.clock.progress(self.first, index * steps + step, count * steps, stage)

    def image_tiles(self, x: Tensor, factor: int) -> Iterator[tuple[int, int, Tensor]]:
        """Yield (y, x, tile) of frames [T,3,H,W], as the autoencoder works on them at once; factor is pixels per latent cell."""
        return image_tiles(x, self.tiles.image_px, self.tiles.stride_px(factor))

    def afresh(self) -> SegmentRun:
        """Return it with its noise from the beginning."""
        return replace(self, noise=noise_of(self.settings, self.first, len(self.x_lq)))


class Part(NamedTuple):
    """A segment, or a tile of it that is worked on alone: its corner in pixels, its run and its motion."""

    top: int
    left: int
    run: SegmentRun
    motion: Motion | None


def parts_of(segment: SegmentRun, motion: Motion | None, factor: int) -> list[Part]:
    """Return a segment as one part, or, tile by tile as published, each with the noise of the same seed.

    factor is pixels per latent cell. The published stride is no multiple of it, so its flow lies beside the picture (spec §6).
    """
    side_px, stride_px = alone_tile(segment.settings)
    height, width = segment.size_hw
    if segment.settings.tiling == "canvas" or max(height, width) <= side_px:
        return [Part(0, 0, segment.afresh(), motion)]
    corners = [
        (y, x) for x in _places(width, side_px, stride_px, factor) for y in _places(height, side_px, stride_px, factor)
    ]
    parts = []
    for index, ((top, y), (left, x)) in enumerate(corners):
        x_lq, x_seen, x_coloured = (
            x[..., top : top + side_px, left : left + side_px] for x in (segment.x_lq, *segment.view()[:2])
        )
        view = partial(View, x_seen, x_coloured)
        run = replace(segment, x_lq=x_lq, view=view, watch=NOTHING_WATCHED, tile=(index, len(corners)))
        h, w = x_lq.shape[-2] // factor, x_lq.shape[-1] // factor
        cut = None if motion is None else Motion(*(m[..., y : y + h, x : x + w] for m in motion))
        parts.append(Part(top, left, run.afresh(), cut))
    return parts


def alone_tile(wanted: Settings) -> tuple[int, int]:
    """Return side and stride in pixels of tiles that are worked on alone."""
    return STABLESR_TILE if wanted.method == "per_frame" else ALONE_TILE


def _places(length: int, side_px: int, stride_px: int, factor: int) -> list[tuple[int, int]]:
    """Return where tiles begin along one side: in pixels, and where the published script cuts the flow, in latent cells."""
    starts = image_starts(length, side_px, stride_px)
    cells = image_starts(length // factor, side_px // factor, stride_px // factor)
    return [(start, cells[min(index, len(cells) - 1)]) for index, start in enumerate(starts)]


def with_room(
    segment: SegmentRun, work: Callable[[SegmentRun], Generator[Event, None, Outcome]]
) -> Generator[Event, None, Outcome]:
    """Do some work on a segment; where memory runs short, again in smaller tiles, and say so. Raises UserError in the end."""
    while True:
        try:
            return (yield from work(segment))
        except (RuntimeError, MemoryError) as error:
            if not memory.is_short(error):
                raise
            if not segment.tiles.halve(segment.size_hw):
                raise errors.memory_short() from error
        # only here, past the error, nothing holds what the work had made
        if segment.x_lq.is_cuda:
            torch.cuda.empty_cache()
        # in the clip's time, since numbers would leave out frames that repeat others
        yield Note(SMALLER_TILES.format(first_s=segment.times_s[0]))


@contextmanager
def short_memory_refused() -> Iterator[None]:
    """Let too little memory, where smaller tiles do not help, be a UserError."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not memory.is_short(error):
            raise
        torch.cuda.empty_cache()  # nothing where CUDA is not in use
        raise errors.memory_short() from error
