"""Whose turn it is, and who is taken into a crew."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from mgld.cluster.crew import Crew, WorkerLost
from mgld.cluster.worker import Opened
from mgld.constants import WORK_ATTEMPTS
from mgld.errors import UserError
from tests.cluster.crews import ran

OPENED = Opened("one", 7, "0.2.0", {"unet": "ab"}, "cpu", "float32", 1, "2.8")


def worker(**differing) -> SimpleNamespace:
    return SimpleNamespace(opened=Opened(**{**vars(OPENED), **differing}))


def of(*workers: SimpleNamespace) -> Crew:
    coming = iter(workers)

    async def hire():
        return next(coming)

    return Crew(hire, len(workers))


def test_the_oldest_segment_goes_first():
    async def scene() -> list:
        done = []

        async def noted(order) -> None:
            async def work(_) -> None:
                await asyncio.sleep(0)
                done.append(order)

            await crew.do(order, work)

        async with of(worker()) as crew:
            await asyncio.gather(*(noted(order) for order in [(0, 9), (1, 0), (0, 5), (0, 0)]))
        return done

    assert ran(scene()) == [(0, 9), (0, 0), (0, 5), (1, 0)]  # nobody else was there when the first came


def test_work_that_is_no_longer_wanted_leaves_its_worker_to_others():
    async def scene() -> str:
        async def never(_) -> None:
            await asyncio.Event().wait()

        async def quick(_) -> str:
            return "done"

        async with of(worker()) as crew:
            tasks = [asyncio.create_task(crew.do((0, i), never)) for i in range(2)]
            await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()
            return await asyncio.wait_for(crew.do((0, 2), quick), 5)

    assert ran(scene()) == "done"


def test_workers_with_other_weights_are_refused_and_other_cards_are_told():
    async def scene(*workers) -> list[str]:
        async def work(_) -> None:
            await asyncio.sleep(0.01)

        async with of(*workers) as crew:
            await asyncio.gather(crew.do((0, 0), work), crew.do((0, 1), work))
            await crew.do((0, 2), work)
            return crew.differing()

    assert ran(scene(worker(), worker(host="two"))) == []
    assert ran(scene(worker(), worker(device="NVIDIA A10"))) == ["device"]
    with pytest.raises(UserError, match="one and two differ in their weights and dtype"):
        ran(scene(worker(), worker(host="two", weights={"unet": "cd"}, dtype="float16")))


def test_a_crew_that_never_comes_is_told():
    tried = []

    async def hire():
        tried.append(1)
        raise WorkerLost("no driver")

    async def scene() -> None:
        async with Crew(hire, 2) as crew:
            await crew.do((0, 0), lambda _: asyncio.sleep(0))

    with pytest.raises(UserError, match="No worker of the cluster could open the model; the last one: no driver"):
        ran(scene())
    assert len(tried) == 2 * WORK_ATTEMPTS


def test_a_model_that_a_worker_lacks_is_told_at_once():
    async def hire():
        raise UserError("The model 'mine' is not on this machine.")

    async def scene() -> None:
        async with Crew(hire, 2) as crew:
            await crew.do((0, 0), lambda _: asyncio.sleep(0))

    with pytest.raises(UserError, match="'mine' is not on this machine"):
        ran(scene())
