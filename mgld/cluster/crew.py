"""Who works: so many workers, the oldest segment first, and another worker for what one that failed has left."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from itertools import count
from typing import Any, Protocol, TypeVar

import numpy as np

from mgld.cluster import refusals
from mgld.cluster.worker import Errand, Opened, Report
from mgld.constants import SEGMENTS_PER_WORKER, WORK_ATTEMPTS

Answer = TypeVar("Answer")
MAY_DIFFER = ("device", "threads", "torch")  # of Opened: rounding depends on them
MUST_AGREE = ("program", "weights", "dtype")  # of Opened: what must not change between two segments
Pictures = Any  # what `decode` of a worker gives and `finish` takes: an array, or where it lies


class WorkerLost(Exception):
    """The worker failed, not what it was asked: the same work may succeed elsewhere."""


class InputLost(Exception):
    """What the worker was to read went with the machine where it lay, and must be made again."""


class Worker(Protocol):
    """A worker that may be far away; see `mgld.cluster.worker`. Each may raise UserError and WorkerLost."""

    opened: Opened

    async def sample(self, errand: Errand) -> tuple[Report, np.ndarray]: ...

    async def decode(self, errand: Errand, latents: Sequence[np.ndarray]) -> tuple[Report, Pictures]: ...

    async def finish(self, errand: Errand, pictures: Sequence[Pictures]) -> tuple[Report, np.ndarray]: ...

    async def whole(self, errand: Errand) -> tuple[Report, np.ndarray]: ...


class Crew:
    """Workers that `hire` opens one by one; each does one thing at a time."""

    def __init__(self, hire: Callable[[], Awaitable[Worker]], size: int) -> None:
        self.size = size
        self.room = asyncio.Semaphore(SEGMENTS_PER_WORKER * size)  # of segments that are read and not yet handed over
        self.opened: list[Opened] = []  # of all that came
        self.lost: list[str] = []  # why workers went
        self._hire, self._seats = hire, size
        self._idle: list[Worker] = []
        self._waiting: list[tuple[tuple[int, int], int, asyncio.Future[Worker]]] = []
        self._arrival, self._hiring = count(), set[asyncio.Task]()
        self._refusal: Exception | None = None

    async def __aenter__(self) -> Crew:
        for _ in range(self.size):
            self._fill_seat()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._hiring:
            task.cancel()
        self._idle.clear()  # their places in the cluster are free again, whoever still holds the crew

    def told(self) -> dict:
        """Return who works and who was lost, ready for JSON."""
        return {"opened": [asdict(o) | {"weights": len(o.weights)} for o in self.opened], "lost": self.lost}

    def differing(self) -> list[str]:
        """Name in what the workers differ that may change the last bits of a result."""
        return [name for name in MAY_DIFFER if len({getattr(o, name) for o in self.opened}) > 1]

    async def do(self, order: tuple[int, int], work: Callable[[Worker], Awaitable[Answer]]) -> Answer:
        """Return what work comes to with the next worker that is free for it; with others, if workers fail.

        Raises UserError where work does, or when WORK_ATTEMPTS workers failed at it.
        """
        reason = ""
        for _ in range(WORK_ATTEMPTS):
            worker = await self._next(order)
            try:
                answer = await work(worker)
            except WorkerLost as lost:
                reason = str(lost)
                self.lost.append(reason)
                self._fill_seat()
                continue
            except BaseException:  # refused, or no longer wanted: the worker itself is well
                self._free(worker)
                raise
            self._free(worker)
            return answer
        raise refusals.segment_lost(order[1], WORK_ATTEMPTS, reason)

    async def _next(self, order: tuple[int, int]) -> Worker:
        if self._refusal is not None:
            raise self._refusal
        if self._idle:
            return self._idle.pop()
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (order, next(self._arrival), turn))
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._free(turn.result())
            raise

    def _free(self, worker: Worker) -> None:
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(worker)
                return
        self._idle.append(worker)

    def _fill_seat(self) -> None:
        task = asyncio.get_running_loop().create_task(self._come())
        self._hiring.add(task)
        task.add_done_callback(self._hiring.discard)

    async def _come(self) -> None:
        """Open one worker; a seat that nobody can take stays empty, and the last such seat ends the work."""
        reason = ""
        for _ in range(WORK_ATTEMPTS):
            try:
                worker = await self._hire()
            except WorkerLost as lost:
                reason = str(lost)
                self.lost.append(reason)
                continue
            except Exception as failure:  # a refusal, or a fault of this program: no other worker would do better
                return self._refuse(failure)
            return self._welcome(worker)
        self._seats -= 1
        if self._seats == 0:
            self._refuse(refusals.workers_lost(reason))

    def _welcome(self, worker: Worker) -> None:
        """Take a worker whose results can stand beside those of the first one."""
        self.opened.append(worker.opened)
        first, own = self.opened[0], worker.opened
        unlike = [name for name in MUST_AGREE if getattr(first, name) != getattr(own, name)]
        if unlike:
            return self._refuse(refusals.workers_differ(first.host, own.host, unlike))
        self._free(worker)

    def _refuse(self, refusal: Exception) -> None:
        """End all that waits for a worker, and all that will."""
        self._refusal = refusal
        for _, _, turn in self._waiting:
            if not turn.done():
                turn.set_exception(refusal)
        self._waiting.clear()
