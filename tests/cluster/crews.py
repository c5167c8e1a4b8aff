"""Crews of workers in this process, which fail when a test wants them to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from mgld.cluster.crew import Crew
from mgld.cluster.spread import ClipRun
from mgld.cluster.worker import Errand, ModelOrder, Opened, SegmentWorker
from mgld.events import Event, FramesDone
from mgld.settings import Settings
from mgld.video import Frame

Fault = Callable[[str, int, int], None]
"""(kind of work, its first frame, the worker's number) → nothing, or it raises."""


class WorkerHere:
    """A worker of this process, which tells what it does."""

    def __init__(self, opening: ModelOrder, number: int, done: list[tuple[str, int]], fault: Fault) -> None:
        self._worker, self._number, self._done, self._fault = SegmentWorker(), number, done, fault
        self.opened: Opened = self._worker.open(opening)

    async def _do(self, kind: str, errand: Errand, *arguments):
        for _ in range(1 + self._number):  # others have their turn, and workers differ in speed
            await asyncio.sleep(0)
        self._fault(kind, errand.piece.first, self._number)
        self._done.append((kind, errand.piece.first))
        return getattr(self._worker, kind)(errand, *arguments)

    async def sample(self, errand: Errand):
        return await self._do("sample", errand)

    async def decode(self, errand: Errand, latents: Sequence[np.ndarray]):
        return await self._do("decode", errand, latents)

    async def finish(self, errand: Errand, pictures: Sequence[np.ndarray]):
        return await self._do("finish", errand, *pictures)

    async def whole(self, errand: Errand):
        return await self._do("whole", errand)


def crew_of(opening: ModelOrder, size: int, fault: Fault = lambda *_: None) -> tuple[Crew, list[tuple[str, int]]]:
    """Return a crew and the list in which its workers write down what they did."""
    hired: list[WorkerHere] = []
    done: list[tuple[str, int]] = []

    async def hire() -> WorkerHere:
        hired.append(WorkerHere(opening, len(hired), done, fault))
        return hired[-1]

    return Crew(hire, size), done


async def collected(crew: Crew, clip_u8: np.ndarray, settings: Settings, **more) -> list[Event]:
    """Return all events of one clip."""
    async with crew:
        run = ClipRun(crew, 0, settings, len(clip_u8), **more)
        feeding = asyncio.create_task(run.feed(Frame(rgb, i / 10) for i, rgb in enumerate(clip_u8)))
        events = [event async for event in run.events()]
        await feeding
        return events


def frames_of(events: list[Event]) -> np.ndarray:
    """Return the frames that came, which must have come in order."""
    done = [e for e in events if isinstance(e, FramesDone)]
    assert [e.first_frame for e in done] == sorted(e.first_frame for e in done)
    return np.concatenate([e.frames_u8 for e in done])


def ran(scene: Coroutine[Any, Any, Any]) -> Any:
    """Run a scene in a thread of its own: a browser's test of the same process leaves an event loop in the main one."""
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(asyncio.run, scene).result()
