"""A Ray cluster of this machine gives the bytes of one process, also when one of its workers is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from mgld.__main__ import main
from mgld.cluster.crew import Crew
from mgld.cluster.spread import ClipRun
from mgld.cluster.worker import ModelOrder
from mgld.errors import UserError
from mgld.events import Event, FramesDone
from mgld.pipeline import MGLDPipeline
from mgld.settings import Settings
from mgld.video import Frame
from tests import media
from tests.cluster.crews import frames_of, ran

pytest.importorskip("ray", reason="Ray is optional: pip install -r requirements-ray.txt")
pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent.parent
QUICK = Settings(steps=2, segment=3, overlap=1)


@pytest.fixture(scope="module", autouse=True)
def two_processors() -> Iterator[None]:
    from mgld.cluster.pool import cluster

    os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's own, 15, lets them starve beside anything else
    with cluster("local", cpus=2):
        yield


@pytest.fixture
def opening(pipeline, tmp_path) -> ModelOrder:
    pipeline.save_pretrained(tmp_path / "model")
    return ModelOrder(str(tmp_path / "model"), "cpu", "float32", threads=1)


@contextmanager
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def in_one_process(opening: ModelOrder, clip_u8: np.ndarray) -> np.ndarray:
    with one_thread():
        return MGLDPipeline.from_pretrained(opening.model, "cpu", "float32")(clip_u8, QUICK)


def spread(
    opening: ModelOrder, clips_u8: list[np.ndarray], workers: int = 2, on_frames=lambda number, crew: None
) -> tuple[list[list[Event]], Crew]:
    """Run clips one after the other on one crew; on_frames is called after each segment that came, with its clip's number.

    Last one of its workers is asked for a model that it lacks: one that is hired for this alone takes seconds to start.
    """
    from mgld.cluster.pool import RayWorker, seats

    async def scene() -> tuple[list[list[Event]], Crew]:
        async with Crew(partial(RayWorker.hire, seats(workers, "cpu"), opening), workers) as crew:
            await asyncio.wait(
                crew._hiring
            )  # on a busy machine the first would have done it all before the other comes
            made = [await one(crew, number, clip_u8) for number, clip_u8 in enumerate(clips_u8)]
            with pytest.raises(UserError, match="is not on this machine"):
                await crew.do((len(clips_u8), 0), lacking)
            return made, crew

    async def lacking(worker: RayWorker) -> None:
        await worker._result(worker._actor.open.remote(replace(opening, model="nothing")))

    async def one(crew: Crew, number: int, clip_u8: np.ndarray) -> list[Event]:
        run, events = ClipRun(crew, number, QUICK, len(clip_u8)), []
        feeding = asyncio.create_task(run.feed(Frame(rgb, i / 10) for i, rgb in enumerate(clip_u8)))
        async for event in run.events():
            events.append(event)
            if isinstance(event, FramesDone):
                on_frames(number, crew)
        await feeding
        return events

    return ran(scene())


def test_two_workers_give_the_bytes_of_one_process_also_when_one_is_killed_midway(opening, clip_u8):
    clips_u8, lost_before, killed = [clip_u8, np.concatenate([clip_u8, clip_u8[::-1]])], [], []

    def kill_one_at_the_second(number: int, crew: Crew) -> None:
        if number == 1 and not killed:
            lost_before.extend(crew.lost)
            killed.append(crew.opened[0].process)
            os.kill(killed[0], signal.SIGKILL)

    made, crew = spread(opening, clips_u8, on_frames=kill_one_at_the_second)
    for events, one_u8 in zip(made, clips_u8, strict=True):
        assert np.array_equal(frames_of(events), in_one_process(opening, one_u8))
    assert len({o.process for o in crew.opened[:2]}) == 2 and lost_before == [] and crew.differing() == []
    assert killed and len(crew.lost) == 1


def test_the_command_joins_the_cluster_and_writes_the_same_files(opening, clip_u8, tmp_path, capsys):
    clips = [
        media.make_video(tmp_path / f"{n}.mp4", list(clip)) for n, clip in (("one", clip_u8), ("two", clip_u8[3:]))
    ]
    (tmp_path / "bad.mp4").write_text("<html>")
    quick = ["--lossless", "--steps", "1", "--segment", "3", "--overlap", "1", "--model", opening.model]
    command = ["upscale", *map(str, clips), str(tmp_path / "bad.mp4"), *quick]
    with one_thread():
        assert main([*command, "--out", str(tmp_path / "here")]) == 1
    engine = ["--out", str(tmp_path / "there"), "--engine", "ray", "--address", "auto", "--workers", "2"]
    line, environment = [sys.executable, "-m", "mgld", *command, *engine], os.environ | {"OMP_NUM_THREADS": "1"}
    ended = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.returncode == 1, ended.stderr
    for said in (capsys.readouterr().err, ended.stderr):
        assert "1 of 3 clips failed" in said and "2 of 3 clips are in" in said
    for name in ("one.mkv", "two.mkv"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()


def test_what_the_cluster_lacks_is_told_in_words():
    from mgld.cluster.pool import seats

    with pytest.raises(UserError, match="3 workers were asked for, but the cluster has 2 processors"):
        seats(3, "cpu")
    with pytest.raises(UserError, match="1 workers were asked for, but the cluster has 0 GPUs"):
        seats(None, "cuda")
