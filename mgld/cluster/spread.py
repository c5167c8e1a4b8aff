"""One clip on its way through a crew: which work waits for which, and results in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import numpy as np

from mgld import errors
from mgld.clock import Clock
from mgld.cluster import refusals
from mgld.cluster.crew import Crew, InputLost, Pictures, Worker
from mgld.cluster.worker import Errand, Report
from mgld.constants import WORK_ATTEMPTS
from mgld.events import Event, FramesDone, Note, Result, Sampled
from mgld.kept import NOTHING_KEPT, FinishedSegment, KeptRun
from mgld.methods import holds_repeats, overlap_of
from mgld.sampling.repeats import Repeats
from mgld.segment import Piece, cut
from mgld.settings import Settings
from mgld.video import Frame


@dataclass
class Link:
    """One segment of a scene: what of it is done, and on which earlier ones it depends."""

    errand: Errand
    earlier: list[Link]  # the segments of its scene that share frames with it, in order
    z: np.ndarray | None = None
    latents: list[np.ndarray] | None = None  # of all that meet here, once they are known
    x: Pictures | None = None
    found: FinishedSegment | None = None  # what an earlier run of the same command has made of it
    sampled: asyncio.Event = field(default_factory=asyncio.Event)
    decoding: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def views(self) -> list[Link]:
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


def links(clip: int, frames: Iterable[Frame], settings: Settings) -> Iterator[Link]:
    """Cut a clip, and say of each segment which earlier ones it waits for."""
    scene: list[Link] = []
    for piece in cut(frames, settings):
        scene = [] if piece.begins_scene else [p for p in scene if _last(p.errand.piece) >= piece.first]
        link = Link(Errand(clip, piece, settings), list(scene) if overlap_of(settings) else [])
        yield link
        scene.append(link)


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
        kept: KeptRun = NOTHING_KEPT,
    ) -> None:
        """Known latents are not sampled again, and kept segments are not made again (see MGLDPipeline.run)."""
        self._crew, self._clip, self._settings = crew, clip, settings.checked()
        self._known, self._kept = known or {}, kept
        self._clock, self._stopped = Clock(total), False
        self._repeats = Repeats(self._clock) if holds_repeats(settings) else None
        self._notes: list[str] = []  # of all workers
        self._unsaid: list[str] = []
        self._report: Report = {"peak_memory_bytes": 0}
        self._started: asyncio.Queue[tuple[Link, asyncio.Task[np.ndarray]] | Exception | None] = asyncio.Queue()
        self._running: set[asyncio.Task] = set()

    async def feed(self, frames: Iterable[Frame]) -> None:
        """Read the clip to its end, no further ahead than the crew has room; what goes wrong is told by `events`."""
        frames = frames if self._repeats is None else self._repeats.once(frames)
        cutting = links(self._clip, frames, self._settings)
        try:
            while (link := await asyncio.to_thread(next, cutting, None)) is not None:
                link.found = await asyncio.to_thread(self._kept.find, link.errand.piece.first)
                await self._crew.room.acquire()  # last: the task gives it back, and what is kept may be damaged
                if self._stopped:
                    return self._crew.room.release()
                task = asyncio.get_running_loop().create_task(self._made(link))
                self._running.add(task)
                self._started.put_nowait((link, task))
        except Exception as failure:
            self._started.put_nowait(failure)
        else:
            self._started.put_nowait(None)

    async def events(self) -> AsyncIterator[Event]:
        """Yield Sampled and FramesDone of each segment in order, Progress after each, and at last Result."""
        try:
            if self._kept.count:
                yield self._kept.resumed(self._settings, self._clock.total_frames)
            for note in self._kept.fresh_notes():
                yield note
            while (item := await self._started.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                link, task = item
                frames_u8 = await task
                for event in await asyncio.to_thread(self._told, link, frames_u8):
                    yield event
                handed_over = self._handed_over(link, frames_u8)
                for event in handed_over if self._repeats is None else self._repeats.again(handed_over):
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

    def _told(self, link: Link, frames_u8: np.ndarray) -> list[Event]:
        """Return what is told of a segment beside its frames; keep it, if it is new, until the clip is whole.

        Without the tails that one process keeps: this one decodes the last segments again from their latents.
        """
        first = link.errand.piece.first
        if link.found is not None:
            return list(link.found.told)
        told: list[Event] = [] if link.z is None else [Sampled(first, link.z)]
        told = list(self._kept.hear(event for event in told))
        self._kept.keep(first, frames_u8, None, None)
        return [*([] if first in self._known else told), *self._kept.fresh_notes()]

    def _handed_over(self, link: Link, frames_u8: np.ndarray) -> Iterator[Event]:
        piece = link.errand.piece
        yield FramesDone(piece.first, frames_u8, piece.times_s[: link.ready], segment_border=not piece.begins_scene)
        done = piece.first + len(frames_u8)
        self._clock.frames_done = done + self._clock.frames_repeated
        if link.found is not None:
            self._clock.resume()
        yield self._clock.progress(done, 0, 1, "finish")
        while self._unsaid:
            yield Note(self._unsaid.pop(0))
        link.earlier.clear()  # else each would hold all before it

    async def _made(self, link: Link) -> np.ndarray:
        """Return a segment's frames u8 [n,4h,4w,3] that no later one touches."""
        order = link.errand.order
        if link.found is not None:
            link.z = next((event.z for event in link.found.told if isinstance(event, Sampled)), None)
            if link.shares and link.z is None:
                raise errors.kept_damaged()
            link.latents = self._latents(link)  # now: it will be decoded, if at all, when it has been handed over
            link.sampled.set()
            return link.found.frames_u8
        if not link.shares:
            return await self._crew.do(order, partial(self._whole, link))
        await self._sample(link)
        for _ in range(WORK_ATTEMPTS):
            pictures = await self._pictures(link)
            try:
                return await self._crew.do(order, partial(self._finish, link, pictures))
            except InputLost as lost:  # a machine went, and what it had decoded with it
                reason = str(lost)
                for view, x in zip(link.views, pictures, strict=True):
                    view.x = None if view.x is x else view.x
        raise refusals.segment_lost(link.errand.piece.first, WORK_ATTEMPTS, reason)

    async def _pictures(self, link: Link) -> list[Pictures]:
        """Return what has been decoded of all that meets in a segment; none of it has been lost so far."""
        while any(view.x is None for view in link.views):
            await asyncio.gather(*(self._decode(view) for view in link.views))
        return [view.x for view in link.views]

    async def _sample(self, link: Link) -> None:
        link.z = self._known.get(link.errand.piece.first)
        if link.z is None:
            await self._crew.do(link.errand.order, partial(self._sample_with, link))
        link.sampled.set()

    async def _sample_with(self, link: Link, worker: Worker) -> None:
        """Sample, and decode at once if the neighbours allow it, for this worker still has what its encoder saw."""
        if link.z is None:
            report, link.z = await worker.sample(link.errand)
            self._add(report)
            link.sampled.set()
        if all(view.z is not None for view in link.views):
            async with link.decoding:
                await self._decode_with(link, worker)

    async def _decode(self, link: Link) -> None:
        await asyncio.gather(*(view.sampled.wait() for view in link.views))
        async with link.decoding:
            if link.x is None:
                await self._crew.do(link.errand.order, partial(self._decode_with, link))

    async def _decode_with(self, link: Link, worker: Worker) -> None:
        link.latents = link.latents or self._latents(link)
        report, link.x = await worker.decode(link.errand, link.latents)
        self._add(report)

    async def _finish(self, link: Link, pictures: list[Pictures], worker: Worker) -> np.ndarray:
        report, frames_u8 = await worker.finish(link.errand, pictures)
        self._add(report)
        return frames_u8

    async def _whole(self, link: Link, worker: Worker) -> np.ndarray:
        report, frames_u8 = await worker.whole(link.errand)
        self._add(report)
        return frames_u8

    def _latents(self, link: Link) -> list[np.ndarray]:
        """Return the latents of all that meets in a segment; all of it has been sampled."""
        return cast(list[np.ndarray], [view.z for view in link.views])

    def _add(self, report: Report) -> None:
        for stage, seconds in report["seconds"].items():
            self._clock.stages[stage] = self._clock.stages.get(stage, 0.0) + seconds
        self._unsaid += report["notes"]
        self._notes += report["notes"]
        peak_bytes = max(self._report["peak_memory_bytes"], report["peak_memory_bytes"])
        self._report = report | {"peak_memory_bytes": peak_bytes}

    def _whole_report(self) -> Report:
        """Return what a run in one process reports; seconds are those of all workers together, memory is that of one."""
        seconds = {stage: round(s, 3) for stage, s in self._clock.stages.items()}
        told = {"seconds": seconds, "notes": self._notes, "workers": self._crew.told()}
        return self._report | self._clock.frames_told() | told
