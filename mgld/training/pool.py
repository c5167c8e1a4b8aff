"""Degraded samples kept on the device, each used several times and turned another way each time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Protocol

import torch
from torch import Tensor

from mgld.canvas import from_bytes
from mgld.training.data import Sample
from mgld.training.run import Run

TURNS = 8  # of a square: four rotations, each also mirrored
AHEAD_BATCHES = 4
PATIENCE_S = 0.2  # how long the fetching thread waits for room before it looks whether it is to end


class Supply(Protocol):
    """Where fresh samples come from."""

    def __call__(self, needed: bool) -> Sample | None:
        """Return the next samples, [N,T,3,S,S] and so on; None if none is ready and none is `needed`."""


def waiting(take: Callable[[], Sample]) -> Supply:
    """Return a supply that always waits: what is drawn then depends on the samples alone, not on the clock."""
    return lambda needed: take()


@contextmanager
def supplied(samples: Iterator[Sample], run: Run) -> Iterator[Supply]:
    """Open the run's supply: a GPU must never wait, a CPU is to learn the same from the same samples."""
    if not run.on_gpu:
        yield waiting(lambda: run.take(samples))
        return
    with closing(Ahead(samples)) as ahead:
        yield ahead


class Ahead:
    """Fetch samples in a thread, so that who trains need not wait for them while there are others to learn from."""

    def __init__(self, samples: Iterator[Sample]) -> None:
        self._ready: queue.Queue[Sample | BaseException] = queue.Queue(AHEAD_BATCHES)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._fetch, args=(samples,), daemon=True)
        self._thread.start()

    def __call__(self, needed: bool) -> Sample | None:
        """Return the next samples; None if none is ready and none is `needed`. Raises what fetching raised."""
        try:
            batch = self._ready.get(block=needed)
        except queue.Empty:
            return None
        if isinstance(batch, BaseException):
            raise batch
        return batch

    def close(self) -> None:
        """End the thread; who fetches with it may be ended then."""
        self._ended.set()
        self._thread.join()

    def _fetch(self, samples: Iterator[Sample]) -> None:
        try:
            for batch in samples:
                self._offer(tuple(part.pin_memory() if torch.cuda.is_available() else part for part in batch))
                if self._ended.is_set():
                    return
            self._offer(StopIteration())
        except BaseException as error:  # noqa: BLE001  # the thread that trains is to raise it
            self._offer(error)

    def _offer(self, batch: Sample | BaseException) -> None:
        while not self._ended.is_set():
            try:
                return self._ready.put(batch, timeout=PATIENCE_S)
            except queue.Full:
                pass


class SamplePool:
    """A ring of samples, whose squares may have several sizes.

    Making a sample costs as much as a step that uses it, so each is drawn `uses` times on average before it is overwritten; more
    often where the supply has none ready.
    """

    def __init__(self, supply: Supply, capacity: int, uses: int, device: torch.device) -> None:
        self._supply, self._capacity, self._uses, self._device = supply, capacity, uses, device
        self._rings: Sample | None = None
        self.made = 0
        self._owed = 0.0

    def draw(self, count: int) -> Sample:
        """Return `count` samples, [N·T,3,S,S] and so on, bytes in [-1,1]; every eighth of them is turned alike."""
        self._owed += count / self._uses
        while self._owed > 0 or self.made < min(self._capacity, 2 * count):
            batch = self._supply(needed=self.made < min(self._capacity, 2 * count))
            if batch is None:
                break
            self._put(batch)
            self._owed = max(self._owed - len(batch[0]), -float(count))
        chosen = torch.randint(min(self.made, self._capacity), (count,), device=self._device)
        turns = torch.randint(TURNS, (TURNS,)).tolist()
        return tuple(_signed(_turned(ring[chosen], turns).flatten(0, 1)) for ring in self._rings)

    def _put(self, batch: Sample) -> None:
        """Write a fresh batch over the oldest samples."""
        if self._rings is None:
            self._rings = tuple(
                torch.empty((self._capacity, *part.shape[1:]), dtype=part.dtype, device=self._device) for part in batch
            )
        first = self.made % self._capacity
        for ring, part in zip(self._rings, batch, strict=True):
            room = min(self._capacity - first, len(part))
            ring[first : first + room].copy_(part[:room], non_blocking=True)
            ring[: len(part) - room].copy_(part[room:], non_blocking=True)
        self.made += len(batch[0])


def _turned(x: Tensor, turns: list[int]) -> Tensor:
    """Turn each eighth of x [N,...,S,S] by its own multiple of a right angle, mirrored from the fifth turn on."""
    parts = []
    for part, turn in zip(x.tensor_split(TURNS), turns, strict=True):
        part = torch.rot90(part, turn % 4, (-2, -1))
        parts.append(part.flip(-1) if turn >= 4 else part)
    return torch.cat(parts)


def _signed(x: Tensor) -> Tensor:
    signed = from_bytes(x) if x.dtype == torch.uint8 else x.float()
    return signed.contiguous(memory_format=torch.channels_last)
