"""Workers in a Ray cluster: Ray finds them a place, carries arrays between them and notices who is gone.

Latents and finished frames pass through this process. What lies between decoding and finishing is float32 at full size: it stays
where it was made, or goes from worker to worker.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
from ray.exceptions import GetTimeoutError, ObjectLostError, RayError, RayTaskError

from mgld import host
from mgld.cluster import refusals
from mgld.cluster.crew import InputLost, WorkerLost
from mgld.cluster.worker import Errand, ModelOrder, Opened, Report, SegmentWorker
from mgld.constants import WORKER_WAIT_S
from mgld.errors import UserError


@dataclass(frozen=True)
class Seats:
    """How many workers, and what each takes of its machine."""

    count: int
    cpus: int
    gpus: int


@contextmanager
def cluster(address: str | None, cpus: int | None = None) -> Iterator[None]:
    """Join the cluster at address, the one that RAY_ADDRESS or this machine knows, or start one of `cpus` on this machine."""
    host.keep_ray_from_reporting()
    try:
        ray.init(
            address=address, num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR,
            configure_logging=True,
        )  # fmt: skip
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise refusals.cluster_missing(address, str(error).splitlines()[0]) from error
    try:
        yield
    finally:
        ray.shutdown()


def seats(wanted: int | None, device: str) -> Seats:
    """Return the places for workers in the cluster that was joined: one on each GPU, else one on each machine.

    Raises UserError where the cluster has fewer than are wanted, or none.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = sum(int(node.get("GPU", 0)) for node in nodes)
    if device != "cpu" and (gpus or device != "auto"):
        return _on_gpus(wanted, gpus)
    return _on_cpus(wanted, [int(node.get("CPU", 0)) for node in nodes])


def _on_gpus(wanted: int | None, gpus: int) -> Seats:
    count = wanted or gpus
    if not 0 < count <= gpus:
        raise refusals.cluster_too_small(count or 1, "GPUs", gpus)
    return Seats(count, 1, 1)


def _on_cpus(wanted: int | None, cpus: list[int]) -> Seats:
    """Share out the processors: as many to each worker as let all workers find a place."""
    count = wanted or sum(1 for c in cpus if c)
    if not 0 < count <= sum(cpus):
        raise refusals.cluster_too_small(count or 1, "processors", sum(cpus))
    return Seats(count, max(n for n in range(1, max(cpus) + 1) if sum(c // n for c in cpus) >= count), 0)


class RayWorker:
    """A worker in a process of its own somewhere in the cluster."""

    opened: Opened

    def __init__(self, place: Seats) -> None:
        actor = ray.remote(num_cpus=place.cpus, num_gpus=place.gpus, max_restarts=0)(SegmentWorker)
        self._actor: Any = actor.remote()

    @classmethod
    async def hire(cls, place: Seats, opening: ModelOrder) -> RayWorker:
        """Return a worker that has opened its model; raise WorkerLost where none comes in WORKER_WAIT_S."""
        worker = cls(place)
        try:
            worker.opened = await asyncio.wait_for(worker._result(worker._actor.open.remote(opening)), WORKER_WAIT_S)
        except (asyncio.TimeoutError, GetTimeoutError) as error:
            ray.kill(worker._actor)
            raise WorkerLost(f"it was not ready after {WORKER_WAIT_S:g} s") from error
        return worker

    async def sample(self, errand: Errand) -> tuple[Report, np.ndarray]:
        return await self._result(self._actor.sample.remote(errand))

    async def decode(self, errand: Errand, latents: Sequence[np.ndarray]) -> tuple[Report, Any]:
        report, pictures = self._actor.decode.options(num_returns=2).remote(errand, latents)
        return await self._result(report), pictures

    async def finish(self, errand: Errand, pictures: Sequence[Any]) -> tuple[Report, np.ndarray]:
        try:
            return await self._result(self._actor.finish.remote(errand, *pictures))
        except ObjectLostError as error:
            raise InputLost(_sentence(error)) from error

    async def whole(self, errand: Errand) -> tuple[Report, np.ndarray]:
        return await self._result(self._actor.whole.remote(errand))

    async def _result(self, ref: Any) -> Any:
        """Return what a call came to; raise UserError, ObjectLostError, or WorkerLost for a worker that is gone."""
        try:
            return await ref
        except RayTaskError as error:
            if isinstance(error.cause, (UserError, ObjectLostError)):
                raise error.cause from None
            ray.kill(self._actor)  # a process whose device failed once may go on failing
            raise WorkerLost(_sentence(error.cause)) from error
        except ObjectLostError:
            raise
        except RayError as error:
            raise WorkerLost(_sentence(error)) from error


def _sentence(error: Exception) -> str:
    """Return the first line of what an error says, by its kind."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0].rstrip('.')}"
