"""`upscale --engine ray`: the segments of one clip or many on the workers of a cluster."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from mgld import host
from mgld.commands import refusals
from mgld.commands.clip_job import ClipJob
from mgld.commands.console import say, say_notes
from mgld.commands.upscale import surviving
from mgld.settings import Settings


def upscale_there(
    chosen: argparse.Namespace, wanted: Settings, jobs: Sequence[ClipJob], failed: dict[Path, str]
) -> None:
    """Join the cluster, open one model in each worker, and bring all clips through; a refusal ends one clip only."""
    if find_spec("ray") is None:
        raise refusals.engine_missing("ray")
    host.show_ray_the_token()
    from mgld.cluster.crew import Crew
    from mgld.cluster.pool import RayWorker, cluster, seats
    from mgld.cluster.worker import ModelOrder

    with cluster(chosen.address):
        place = seats(chosen.workers, chosen.device)
        device = "cuda" if place.gpus else "cpu"
        opening = ModelOrder(chosen.model, device, chosen.dtype, None if place.gpus else place.cpus)
        each = "a GPU" if place.gpus else "a processor" if place.cpus == 1 else f"{place.cpus} processors"
        say(f"{place.count} workers, each with {each}")
        crew = Crew(partial(RayWorker.hire, place, opening), place.count)
        asyncio.run(_all(crew, wanted, jobs, failed, f"ray on {device}", chosen))
    if crew.differing():
        say_notes([f"the workers differ in their {' and '.join(crew.differing())}: bytes may depend on who did what"])
    if crew.lost:
        say_notes([f"{len(crew.lost)} workers failed and others did their work; the last one: {crew.lost[-1]}"])


async def _all(crew, wanted: Settings, jobs: Sequence[ClipJob], failed, device: str, chosen) -> None:
    """Read one clip after the other, while those before are still worked on."""
    turn = asyncio.Lock()

    async def one(number: int, job: ClipJob) -> None:
        with surviving(job, failed, alone=chosen.out is None):
            await _one(crew, number, job, wanted, turn, (device, chosen.dtype))
            job.tell()

    async with crew:
        await asyncio.gather(*(one(number, job) for number, job in enumerate(jobs)))


async def _one(crew, number: int, job: ClipJob, wanted: Settings, turn: asyncio.Lock, where: tuple[str, str]) -> None:
    from mgld.cluster.spread import ClipRun

    with ExitStack() as opened:
        async with turn:
            kept = opened.enter_context(job.working(wanted, *where))
            run = ClipRun(crew, number, wanted, job.total, kept=kept)
            writing = asyncio.create_task(_written(run, job))
            try:
                await run.feed(job.frames())
            except BaseException:
                writing.cancel()
                raise
        await writing


async def _written(run, job: ClipJob) -> None:
    async for event in run.events():
        await asyncio.to_thread(job.take, event)
