"""A GPU that a host lends by the call (ZeroGPU): what the page does with it, and what it asks for."""

from __future__ import annotations

import os
import pickle
import re
import runpy
import subprocess
import sys
import types
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest

from mgld import errors, worker
from mgld.comparison import estimate
from mgld.comparison.cost import CostModel
from mgld.errors import UserError
from mgld.host import GPU_SECONDS, GPU_SECONDS_UNKNOWN
from mgld.settings import Settings
from mgld.sharing import sampled_as
from mgld.ui import page
from mgld.video import Frame
from mgld.worker import DeviceJob

ROOT = Path(__file__).resolve().parent.parent


def test_nothing_is_compiled_or_captured_where_a_gpu_is_lent_by_the_call():
    """ZeroGPU forks for every job, which neither survives; the one module that records steps is switched off there."""
    asked = "from mgld.host import CUDA_GRAPHS; print(CUDA_GRAPHS)"
    environment = os.environ | {"SPACES_ZERO_GPU": "true", "MGLD_CUDA_GRAPHS": "4"}
    told = subprocess.run(
        [sys.executable, "-c", asked], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "0"
    for path in (ROOT / "mgld").rglob("*.py"):
        if path.parent.name != "training" and path.name != "replay.py":
            assert not re.search(
                r"torch\.compile\(|CUDAGraph|cuda\.graph|make_graphed", path.read_text(encoding="utf-8")
            ), path


class FakeSpaces(types.ModuleType):
    """The package as far as the page uses it: like the real one it carries pickles, and only Gradio's exceptions, across."""

    def __init__(self) -> None:
        super().__init__("spaces")
        self.asked: list[int] = []
        self.closed = 0

    def GPU(self, duration):
        def wrap(function):
            def handler(job):
                self.asked.append(duration(job))
                answering = function(pickle.loads(pickle.dumps(job)))
                try:
                    for answer in answering:
                        yield pickle.loads(pickle.dumps(answer))
                except GeneratorExit:
                    self.closed += 1
                    answering.close()
                    raise
                except Exception as error:
                    raise gr.Error(type(error).__name__) from None

            return handler

        return wrap


@pytest.fixture
def lent(pipeline, monkeypatch):
    """Start the page where a host lends its GPU; return (what was served, the host)."""
    host, served = FakeSpaces(), []
    opened = []
    estimate.cost_of.cache_clear()  # what earlier tests measured is not known here
    monkeypatch.setattr(page, "open_pipeline", lambda *which: opened.append(which))
    monkeypatch.setattr(estimate, "calibrate", lambda *_: pytest.fail("no GPU is borrowed before anybody asks for it"))
    monkeypatch.setattr(gr.Blocks, "launch", lambda self, **told: served.append(told))
    monkeypatch.setitem(sys.modules, "spaces", host)
    monkeypatch.setattr(sys, "argv", ["app.py", "--device", "cpu"])
    monkeypatch.setattr(page, "build", lambda model, machine: served.append(machine) or gr.Blocks())
    runpy.run_path(str(ROOT / "app.py"), run_name="__main__")
    assert opened == [("tiny", "cpu")]  # before the page is served: the host's forks find it open
    monkeypatch.setattr(worker, "open_pipeline", lambda *_: pipeline)
    machine, _ = served
    assert machine.lent
    return machine, host


def job_of(clip_u8, **settings) -> DeviceJob:
    return DeviceJob("tiny", "cpu", [Frame(rgb, i / 10) for i, rgb in enumerate(clip_u8)], [Settings(**settings)])


def test_a_lent_gpu_gives_the_same_frames_as_ones_own(lent, clip_u8):
    machine, host = lent
    job = job_of(clip_u8, steps=1, segment=4, overlap=1)
    far, near = ([e for _, e in run(job)] for run in (machine.run_all, worker.run_all))
    assert [type(e) for e in far] == [type(e) for e in near] and host.asked == [GPU_SECONDS_UNKNOWN]
    frames = [np.concatenate([e.frames_u8 for e in events if hasattr(e, "frames_u8")]) for events in (far, near)]
    assert np.array_equal(*frames)


def test_a_refusal_keeps_its_sentence_on_the_way_from_a_lent_gpu(lent, clip_u8, monkeypatch):
    machine, _ = lent
    monkeypatch.setattr(worker.open_pipeline("tiny", "cpu"), "run", lambda *_: _refusing())
    with pytest.raises(UserError, match="finite at step 3"):
        list(machine.run_all(job_of(clip_u8)))


def _refusing():
    raise errors.numbers_broken(3)
    yield


def test_closing_a_job_gives_the_lent_gpu_back(lent, clip_u8):
    machine, host = lent
    going = machine.run_all(job_of(clip_u8, steps=2))
    next(going)
    going.close()
    assert host.closed == 1


def test_a_job_asks_for_the_seconds_that_the_cost_model_says(monkeypatch):
    job = job_of(np.zeros((10, 32, 32, 3), np.uint8), steps=10, overlap=0)
    known = CostModel()
    monkeypatch.setattr(estimate, "cost_of", lambda model: known)
    monkeypatch.setattr(estimate, "megapixels_of", lambda *_: 0.2)
    assert estimate.gpu_seconds(job) == GPU_SECONDS_UNKNOWN
    for rate, seconds in ((0.5, 85), (1e-3, GPU_SECONDS[0]), (99.0, GPU_SECONDS[1])):
        known.rates.clear()
        known.learn_stage("mgld", "sample", 0.2, rate)
        assert estimate.gpu_seconds(job) == seconds
    sampled = {sampled_as(job.runs[0]): {first: np.zeros(1, np.float32) for first in (0, 5)}}
    assert estimate.gpu_seconds(replace(job, latents=sampled)) == GPU_SECONDS[0]  # only to be decoded again
