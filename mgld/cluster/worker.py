"""What one worker of a cluster does: one model, one kind of work on one segment at a time; arrays go in and out.

Nothing that it keeps matters to the result, so that a worker may end at any time and another one does its work again.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mgld import __version__
from mgld.clock import Clock
from mgld.events import Event, Note, end_of
from mgld.methods import PEERS, overlap_of
from mgld.pipeline import MGLDPipeline
from mgld.presets import describe_model
from mgld.sampling.segments import joined
from mgld.segment import NOTHING_WATCHED, Piece, SegmentRun, TileSides, short_memory_refused
from mgld.settings import Settings
from mgld.stages.condition import Condition, segment_of
from mgld.stages.decode import decoded
from mgld.stages.networks import Networks
from mgld.stages.sample import sampled


@dataclass(frozen=True)
class ModelOrder:
    """What a worker is to open, and how many threads its CPU work has; None: as many as torch likes."""

    model: str
    device: str
    dtype: str
    threads: int | None = None


@dataclass(frozen=True)
class Opened:
    """What a worker has opened. All but where it is may change bits of the result."""

    host: str
    process: int
    program: str  # version of mgld
    weights: dict  # hashes by file
    device: str  # as torch names it; of a GPU its model
    dtype: str
    threads: int
    torch: str  # version


@dataclass(frozen=True)
class Errand:
    """One segment of one clip, and what is wanted of it."""

    clip: int
    piece: Piece
    settings: Settings

    @property
    def order(self) -> tuple[int, int]:
        """Return its place among all that waits: oldest first, so that results come out while later segments go in."""
        return self.clip, self.piece.first


Report = dict
"""What MGLDPipeline.report tells of one piece of work."""


class SegmentWorker:
    """Sample, decode and finish segments, each by itself (`sample`, `decode`, `finish`) or at once (`whole`)."""

    def open(self, opening: ModelOrder) -> Opened:
        """Open the model; raise UserError where it is not on this machine, or cannot be used here."""
        if opening.threads is not None:
            torch.set_num_threads(opening.threads)
        self._pipeline = pipeline = MGLDPipeline.from_pretrained(opening.model, opening.device, opening.dtype)
        self._notes: list[str] = []  # of the work that is being done
        self._sides: dict[Settings, TileSides] = {}  # tiles stay small where memory once ran short
        self._sampled: tuple[tuple[int, int], Condition | None] | None = None  # by whom condition was made last
        on_gpu = pipeline.device.type == "cuda"
        return Opened(
            socket.gethostname(), os.getpid(), __version__, describe_model(opening.model)["sha256"],
            torch.cuda.get_device_name(pipeline.device) if on_gpu else pipeline.device.type,
            str(pipeline.vae.dtype).removeprefix("torch."), torch.get_num_threads(), torch.__version__,
        )  # fmt: skip

    @torch.no_grad()
    @short_memory_refused()
    def sample(self, errand: Errand) -> tuple[Report, np.ndarray]:
        """Return the latent f32 [T,c,h,w] of a segment, not yet joined."""
        clock = Clock(None)
        condition, z = end_of(sampled(self._networks(errand), self._segment(errand, clock)), self._hear)
        # the same worker decodes it next, if its neighbours are sampled already
        self._sampled = errand.order, condition
        return self._report(errand, clock), z.cpu().numpy()

    @torch.no_grad()
    @short_memory_refused()
    def decode(self, errand: Errand, latents: Sequence[np.ndarray]) -> tuple[Report, np.ndarray]:
        """Return x f32 [T,3,H,W] of a segment, not yet joined; latents are those of the segments that share frames, and its own."""
        clock = Clock(None)
        segment = self._segment(errand, clock)
        condition = self._sampled[1] if self._sampled and self._sampled[0] == errand.order else None
        z = self._joined(segment, latents)
        x = end_of(decoded(self._networks(errand), segment, condition, z), self._hear)
        return self._report(errand, clock), x.cpu().numpy()

    @torch.no_grad()
    @short_memory_refused()
    def finish(self, errand: Errand, *pictures: np.ndarray) -> tuple[Report, np.ndarray]:
        """Return the frames u8 [n,4h,4w,3] that no later segment touches; pictures are x as `decode` gave it, its own last."""
        clock = Clock(None)
        segment = self._segment(errand, clock)
        done = segment.finish(self._joined(segment, pictures))
        clock.mark("finish")
        return self._report(errand, clock), done

    @torch.no_grad()
    @short_memory_refused()
    def whole(self, errand: Errand) -> tuple[Report, np.ndarray]:
        """Return all frames u8 [T,4h,4w,3] of a segment that shares none with another."""
        clock = Clock(None)
        if errand.settings.method in PEERS:
            return self._report(errand, clock), self._pipeline(errand.piece.frames_u8, errand.settings)
        segment, nets = self._segment(errand, clock), self._networks(errand)
        condition, z = end_of(sampled(nets, segment), self._hear)
        done = segment.finish(end_of(decoded(nets, segment, condition, z), self._hear))
        return self._report(errand, clock), done

    def _engine(self, errand: Errand) -> MGLDPipeline:
        return self._pipeline.engine_for(errand.settings)

    def _networks(self, errand: Errand) -> Networks:
        return self._engine(errand).networks

    def _segment(self, errand: Errand, clock: Clock) -> SegmentRun:
        nets, wanted = self._networks(errand), errand.settings
        sides = self._sides.setdefault(wanted, nets.tile_sides(wanted))
        return segment_of(nets, errand.piece, wanted, clock, NOTHING_WATCHED, sides)

    def _hear(self, event: Event) -> None:
        self._notes += [event.text] if isinstance(event, Note) else []

    def _joined(self, segment: SegmentRun, views: Sequence[np.ndarray]) -> Tensor:
        """Join on the device, as one process does: another device may round another way."""
        tensors = [torch.from_numpy(np.array(view)).to(segment.x_lq.device) for view in views]
        return joined(tensors, overlap_of(segment.settings), segment.ready)

    def _report(self, errand: Errand, clock: Clock) -> Report:
        notes, self._notes = self._notes, []
        return self._engine(errand).report(errand.settings, clock) | {"notes": notes}
