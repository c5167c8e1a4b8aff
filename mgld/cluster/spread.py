"""One clip on its way through a crew: which work waits for which, and results in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from mgld import errors
from mgld.clock import Clock
from mgld.cluster.crew import Crew, InputLost, Pictures, Worker
from mgld.cluster.worker import Errand, Report
from mgld.events import Event, FramesDone, Result, Sampled
from mgld.methods import overlap_of
from mgld.segment import Piece, cut
from mgld.settings import WORK_ATTEMPTS, Settings
from mgld.video import Frame


@dataclass
class Part:
    """One segment: what of it is done, and on which earlier ones it depends."""

    errand: Errand
    earlier: list[Part]  # the segments of its scene that share frames with it, in order
    z: np.ndarray | None = None
    latents: list[np.ndarray] | None = None  # of all that meet here, once they are known
    x: Pictures | None = None
    sampled: asyncio.Event = field(default_factory=asyncio.Event)
    decoding: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def views(self) -> list[Part]:
        """Return all whose frames meet in this segment, itself last."""
        return [*self.earlier, self]

    @property
    def shares(self) -> bool:
        """Say whether an earlier or a later segment has frames of this one."""
        piece = self.errand.piece
        return overlap_of(self.errand.settings) > 0 and not (piece.begins_scene and piece.ends_scene)

    @property
    def ready(self) -> int:
        """Count its frames that no later segment touches."""
        piece = self.errand.piece
        return len(piece.frames_u8) - (0 if piece.ends_scene else overlap_of(self.errand.settings))


def parts(clip: int, frames: Iterable[Frame], settings: Settings) -> Iterator[Part]:
    """Cut a clip, and say of each segment which earlier ones it waits for."""
    scene: list[Part] = []
    for piece in cut(frames, settings):
        scene = [] if piece.begins_scene else [p for p in scene if _last(p.errand.piece) >= piece.first]
        part = Part(Errand(clip, piece, settings), list(scene) if overlap_of(settings) else [])
        yield part
        scene.append(part)


def _last(piece: Piece) -> int:
    return piece.first + len(piece.frames_u8) - 1


class ClipRun:
    """A clip that a crew works on. `feed` reads it, `events` tells what comes of it; both run at the same time."""

    def __init__(
        self,
        crew: Crew,
        clip: int,
        settings: Settings,
        total: int | None = None,
        known: Mapping[int, np.ndarray] | None = None,
    ) -> None:
        """Known latents f32 [T,c,h,w], by their segment's first frame, are not sampled again (see MGLDPipeline.run)."""
        self._crew, self._clip, self._settings = crew, clip, settings.checked()
        self._known = known or {}
        self._clock, self._stopped = Clock(total), False
        self._report: Report = {"peak_memory_bytes": 0}
        self._started: asyncio.Queue[tuple[Part, asyncio.Task[np.ndarray]] | Exception | None] = asyncio.Queue()
        self._running: set[asyncio.Task] = set()

    async def feed(self, frames: Iterable[Frame]) -> None:
        """Read the clip to its end, no further ahead than the crew has room; what goes wrong is told by `events`."""
        cutting = parts(self._clip, frames, self._settings)
        try:
            while (part := await asyncio.to_thread(next, cutting, None)) is not None:
                await self._crew.room.acquire()
                if self._stopped:
                    return self._crew.room.release()
                task = asyncio.get_running_loop().create_task(self._made(part))
                self._running.add(task)
                self._started.put_nowait((part, task))
        except Exception as failure:
            self._started.put_nowait(failure)
        else:
            self._started.put_nowait(None)

    async def events(self) -> AsyncIterator[Event]:
        """Yield Sampled and FramesDone of each segment in order, Progress after each, and at last Result."""
        try:
            while (item := await self._started.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                part, task = item
                for event in self._handed_over(part, await task):
                    yield event
                self._running.discard(task)
                self._crew.room.release()
            if self._clock.frames_done == 0:
                raise errors.no_frames()
            yield Result(self._whole_report())
        finally:
            self._stop()

    def _stop(self) -> None:
        """Want nothing more: neither of what is in flight nor of what is not yet read."""
        self._stopped = True
        for task in self._running:
            task.cancel()
            if task.done() and not task.cancelled():
                task.exception()  # seen: an earlier one has ended the clip
            self._crew.room.release()
        self._running.clear()

    def _handed_over(self, part: Part, frames_u8: np.ndarray) -> Iterator[Event]:
        piece = part.errand.piece
        if part.z is not None and piece.first not in self._known:
            yield Sampled(piece.first, part.z)
        yield FramesDone(piece.first, frames_u8, piece.times_s[: part.ready], segment_border=not piece.begins_scene)
        self._clock.frames_done = piece.first + len(frames_u8)
        yield self._clock.progress(self._clock.frames_done, 0, 1, "finish")
        part.earlier.clear()  # else each would hold all before it

    async def _made(self, part: Part) -> np.ndarray:
        """Return a segment's frames u8 [n,4h,4w,3] that no later one touches."""
        order = part.errand.order
        if not part.shares:
            return await self._crew.do(order, partial(self._whole, part))
        await self._sample(part)
        for _ in range(WORK_ATTEMPTS):
            pictures = await self._pictures(part)
            try:
                return await self._crew.do(order, partial(self._finish, part, pictures))
            except InputLost as lost:  # a machine went, and what it had decoded with it
                reason = str(lost)
                for view, x in zip(part.views, pictures, strict=True):
                    view.x = None if view.x is x else view.x
        raise errors.segment_lost(part.errand.piece.first, WORK_ATTEMPTS, reason)

    async def _pictures(self, part: Part) -> list[Pictures]:
        """Return what has been decoded of all that meets in a segment; none of it has been lost so far."""
        while any(view.x is None for view in part.views):
            await asyncio.gather(*(self._decode(view) for view in part.views))
        return [view.x for view in part.views]

    async def _sample(self, part: Part) -> None:
        part.z = self._known.get(part.errand.piece.first)
        if part.z is None:
            await self._crew.do(part.errand.order, partial(self._sample_with, part))
        part.sampled.set()

    async def _sample_with(self, part: Part, worker: Worker) -> None:
        """Sample, and decode at once if the neighbours allow it, for this worker still has what its encoder saw."""
        if part.z is None:
            report, part.z = await worker.sample(part.errand)
            self._add(report)
            part.sampled.set()
        if all(view.z is not None for view in part.views):
            async with part.decoding:
                await self._decode_with(part, worker)

    async def _decode(self, part: Part) -> None:
        await asyncio.gather(*(view.sampled.wait() for view in part.views))
        async with part.decoding:
            if part.x is None:
                await self._crew.do(part.errand.order, partial(self._decode_with, part))

    async def _decode_with(self, part: Part, worker: Worker) -> None:
        part.latents = part.latents or [view.z for view in part.views if view.z is not None]
        report, part.x = await worker.decode(part.errand, part.latents)
        self._add(report)

    async def _finish(self, part: Part, pictures: list[Pictures], worker: Worker) -> np.ndarray:
        report, frames_u8 = await worker.finish(part.errand, pictures)
        self._add(report)
        return frames_u8

    async def _whole(self, part: Part, worker: Worker) -> np.ndarray:
        report, frames_u8 = await worker.whole(part.errand)
        self._add(report)
        return frames_u8

    def _add(self, report: Report) -> None:
        for stage, seconds in report["seconds"].items():
            self._clock.stages[stage] = self._clock.stages.get(stage, 0.0) + seconds
        peak_bytes = max(self._report["peak_memory_bytes"], report["peak_memory_bytes"])
        self._report = report | {"peak_memory_bytes": peak_bytes}

    def _whole_report(self) -> Report:
        """Return what a run in one process reports; seconds are those of all workers together, memory is that of one."""
        seconds = {stage: round(s, 3) for stage, s in self._clock.stages.items()}
        return self._report | {"frames": self._clock.frames_done, "seconds": seconds, "workers": self._crew.told()}
