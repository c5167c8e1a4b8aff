"""The page served as strangers reach it, without the measuring of the machine; and a machine that jobs run on in this process."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mgld import worker
from mgld.comparison import estimate
from mgld.comparison.job import Sessions
from mgld.comparison.produce import Machine
from mgld.comparison.store import Store
from mgld.ui import page as studio
from mgld.ui import running
from tests import media
from tests.served import Served


def forget_all(patch: pytest.MonkeyPatch) -> None:
    """Let nothing be in memory: what a test of another file has run would be answered without a run."""
    for name, fresh in (("STORE", Store()), ("SESSIONS", Sessions())):
        patch.setattr(running, name, fresh)


@pytest.fixture(scope="module")
def served(free_port):
    patch = pytest.MonkeyPatch()
    patch.setattr(studio, "_prepare", lambda *_: None)
    forget_all(patch)
    machine = studio.this_machine("cpu")
    page = studio.build("tiny", machine)
    studio.launch(page, "tiny", machine, free_port, block=False)
    served = Served(f"http://127.0.0.1:{free_port}")
    served.page = page
    yield served
    page.close()
    patch.undo()


@pytest.fixture
def clip(tmp_path) -> Path:
    return media.make_video(tmp_path / "clip.mp4", media.coded_frames(3), fps=10)


@pytest.fixture
def moving_clip(tmp_path) -> Path:
    wide = np.random.default_rng(0).integers(0, 256, (5, 20, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    frames = [np.ascontiguousarray(wide[:, 2 * i : 2 * i + 24]) for i in range(6)]
    return media.make_video(tmp_path / "clip.mp4", frames, fps=10, sound_s=0.6)


@pytest.fixture
def machine(pipeline, monkeypatch) -> Machine:
    """A machine with a counter of denoiser calls, and nothing in memory."""
    monkeypatch.setattr(worker, "open_pipeline", lambda *_: pipeline)
    forget_all(monkeypatch)
    estimate.cost_of.cache_clear()
    estimate.megapixels_of.cache_clear()
    calls, forward = [], pipeline.unet.forward
    monkeypatch.setattr(pipeline.unet, "forward", lambda *a, **k: calls.append(1) or forward(*a, **k))
    machine = Machine("cpu", worker.run_all)
    object.__setattr__(machine, "calls", calls)
    return machine


@pytest.fixture
def no_files(monkeypatch):
    """Leave out what is taken home: its tests are those of the take-away."""
    monkeypatch.setattr(running, "Takeaway", lambda outcome: SimpleNamespace(files=[], archive=None))
