"""What a Hugging Face Space needs of the repository, and the page started as a Space starts it."""

from __future__ import annotations

import os
import pickle
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time
import types
import urllib.request
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import yaml
from packaging.requirements import Requirement

from mgld import errors, worker
from mgld.comparison import estimate
from mgld.comparison.cost import CostModel
from mgld.errors import UserError
from mgld.settings import GPU_SECONDS, GPU_SECONDS_UNKNOWN, QUEUE, Settings
from mgld.sharing import sampled_as
from mgld.ui import page
from mgld.video import Frame
from mgld.worker import DeviceJob

ROOT = Path(__file__).resolve().parent.parent
HEAD = yaml.safe_load((ROOT / "README.md").read_text(encoding="utf-8").split("---")[1])
# huggingface.co/docs/hub/spaces-config-reference, and the model card's keys of licences.
DOCUMENTED = {
    "title", "emoji", "colorFrom", "colorTo", "sdk", "python_version", "sdk_version", "suggested_hardware", "suggested_storage",
    "app_file", "app_port", "base_path", "fullWidth", "header", "short_description", "models", "datasets", "tags", "thumbnail",
    "pinned", "hf_oauth", "hf_oauth_scopes", "hf_oauth_expiration_minutes", "hf_oauth_authorized_org", "disable_embedding",
    "startup_duration_timeout", "custom_headers", "preload_from_hub", "license", "license_name", "license_link",
}  # fmt: skip
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


def requirement(name: str) -> Requirement:
    found = map(Requirement, (ROOT / "requirements.txt").read_text(encoding="utf-8").split())
    return next(r for r in found if r.name == name)


def test_the_front_matter_has_documented_keys_and_values_only():
    assert set(HEAD) <= DOCUMENTED
    assert HEAD["sdk"] == "gradio" and (ROOT / HEAD["app_file"]).is_file()
    assert {HEAD["colorFrom"], HEAD["colorTo"]} <= COLOURS
    assert HEAD["emoji"] and not re.search(r"\w", HEAD["emoji"])
    assert HEAD["python_version"] in ("3.10.13", "3.12.12")  # text, and what ZeroGPU has
    assert len(HEAD["short_description"]) <= 60
    assert HEAD["license"] == "apache-2.0" and all(isinstance(tag, str) for tag in HEAD["tags"])


def test_the_spaces_gradio_is_one_that_the_requirements_allow():
    assert requirement("gradio").specifier.contains(HEAD["sdk_version"])
    assert "spaces" not in (ROOT / "requirements.txt").read_text(encoding="utf-8")  # the host brings its own


def test_torch_may_be_one_that_zerogpu_has():
    assert all(requirement("torch").specifier.contains(version) for version in ("2.8.0", "2.9.1", "2.10.0", "2.11.0"))


def test_app_is_thin_and_imports_spaces_first():
    source = (ROOT / "app.py").read_text(encoding="utf-8")
    assert len(source.splitlines()) < 45
    assert source.index("import spaces") < source.index("import argparse") < source.index("from mgld")


def test_nothing_is_compiled_or_captured_where_a_gpu_is_lent_by_the_call():
    """ZeroGPU forks for every job, which neither survives; the one module that records steps is switched off there."""
    asked = "from mgld.settings import CUDA_GRAPHS; print(CUDA_GRAPHS)"
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


def test_the_space_listens_where_the_host_says(monkeypatch):
    """Gradio reads GRADIO_SERVER_NAME and GRADIO_SERVER_PORT itself, as long as nothing is given in their place."""
    seen = {}

    class Page:
        def queue(self, **settings):
            seen["queue"] = settings

        def launch(self, **settings):
            seen["launch"] = settings

    monkeypatch.setattr(page, "_prepare", lambda *_: None)
    page.launch(Page(), "tiny", None)
    assert seen["launch"]["server_port"] is None and "server_name" not in seen["launch"]
    assert seen["queue"]["api_open"] is False and seen["queue"]["max_size"] == QUEUE
    assert seen["launch"]["ssr_mode"] is seen["launch"]["show_error"] is seen["launch"]["run_history"] is False


def hosts_package(folder: Path) -> Path:
    """Make the package that every Gradio Space has, as far as Gradio and app.py use it; it refuses to come after torch."""
    (folder / "spaces").mkdir(parents=True)
    (folder / "spaces-0.51.3.dist-info").mkdir()
    (folder / "spaces-0.51.3.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: spaces\nVersion: 0.51.3\n"
    )
    late = 'import sys\nif "torch" in sys.modules:\n    raise RuntimeError("imported too late")\n'
    used = "def GPU(duration):\n    return gradio_auto_wrap\n\ndef gradio_auto_wrap(function):\n    return function\n"
    (folder / "spaces" / "__init__.py").write_text(late + used)
    (folder / "spaces" / "reloading.py").write_text("def start_reload_server(prerun, postrun, stop_event):\n    pass\n")
    return folder


@contextmanager
def started(folder: Path, port: int):
    """Run app.py as a Space does, from a copy that cannot be written to, with an empty home; end it afterwards."""
    copy, home = folder / "app", folder / "home"
    home.mkdir()
    (folder / "tmp").mkdir()
    for name in ("mgld", "assets"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "eval"))
    shutil.copy(ROOT / "app.py", copy)
    for path in (copy, *copy.rglob("*")):
        path.chmod(path.stat().st_mode & 0o555)
    told = {
        "SPACE_ID": "owner/name",
        "SYSTEM": "spaces",
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_SERVER_NAME": "127.0.0.1",
    }
    here = {
        "HOME": str(home),
        "TMPDIR": str(folder / "tmp"),
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(hosts_package(folder / "host")),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "app.py"], cwd=copy, env=told | here, stdout=log, stderr=log)
    try:
        yield process, copy
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for path in (copy, *copy.rglob("*")):
            path.chmod(path.stat().st_mode | 0o200)


def fetched(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=30) as answer:
        return answer.read()


def first_paint(address: str, process: subprocess.Popen, patience_s: float) -> float:
    """Return the seconds until the page, its scripts and its first picture are there."""
    begun = time.monotonic()
    while time.monotonic() - begun < patience_s and process.poll() is None:
        try:
            html = fetched(address).decode()
            break
        except OSError:
            time.sleep(0.1)
    else:
        pytest.fail("The page was not served.")
    scripts = re.findall(r'(?:src|href)="\./(assets/[^"]+\.js)"', html)
    poster = re.search(r'"poster":\{"path":"[^"]*","url":"([^"]+)"', html)
    assert scripts and poster
    assert all(fetched(f"{address}{script}") for script in scripts) and fetched(poster[1])
    return time.monotonic() - begun


def contents(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no Space runs there")
def test_a_space_starts_from_a_read_only_copy_with_an_empty_home_and_works(tmp_path, free_port, record_property):
    from gradio_client import Client, handle_file

    with started(tmp_path, free_port) as (process, copy):
        before, address = contents(copy), f"http://127.0.0.1:{free_port}/"
        seconds = first_paint(address, process, patience_s=180)
        record_property("seconds_to_first_paint", seconds)
        print(f"first paint after {seconds:.1f} s")
        client = Client(address, verbose=False)
        clip = handle_file(copy / "assets" / "clips" / "reef.mp4")
        asked = {"clip": clip, "methods": ["per_frame"], "frames": 1, "steps": 1, "truth": None, "others": None}
        asked["crop"] = "0,0,50,50"
        line, *_, files = client.predict(**asked, api_name="/compare")
        assert "1 frame in" in line and len(files["files"]) > 3
        assert contents(copy) == before
    assert "Traceback" not in (tmp_path / "log").read_text(encoding="utf-8")
