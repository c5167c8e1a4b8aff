"""Shared fixtures, and which tests belong together; the process that only hands tests out loads no torch for it."""

from __future__ import annotations

import atexit
import gc
import hashlib
import os
import shutil
import socket
import tempfile
from typing import TYPE_CHECKING

if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # before torch is there: processes of several threads each slow one another many times
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # uploads of its own: what one process sweeps is not another's
    os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="mgld-tests-")
    atexit.register(shutil.rmtree, os.environ["GRADIO_TEMP_DIR"], ignore_errors=True)

import numpy as np
import pytest

from mgld import host, memory
from mgld.video import child, sandbox
from tests.decoding import DecoderHere

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

    from mgld.pipeline import MGLDPipeline


gc.disable()  # until all is collected: what modules make stays, and would be looked through again and again while they load
# For good: who decodes in this process may still do so when its test is over, and the bound would be this process's own end.
child.renew_cpu_time = lambda: None


def place_of(nodeid: str) -> str:
    """Return where a test lies, from this folder on."""
    return nodeid.partition("::")[0].removeprefix("tests/")


@pytest.fixture(autouse=True)
def nothing_unfinished(tmp_path_factory, request, monkeypatch):
    """Let each test begin without segments of earlier runs, and leave none in a person's cache."""
    place = (
        tmp_path_factory.getbasetemp() / "unfinished" / hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    )
    monkeypatch.setattr(host, "UNFINISHED", place)


# Where what is tested is the process that decodes, or a whole page at work.
DECODED_APART = (
    "browser/test_api.py",
    "browser/test_page.py::test_a_clip_goes_in",
    "video/test_child.py",
    "video/test_fuzz.py",
    "video/test_hostile.py",
    "video/test_nursery.py",
    "video/test_sandbox.py",
)


@pytest.fixture(autouse=True)
def decoded_here(request, monkeypatch):
    """Decode in this process; tests in DECODED_APART start the program's own decoders, one for every clip."""
    if not request.node.nodeid.removeprefix("tests/").startswith(DECODED_APART):
        monkeypatch.setattr(sandbox, "_started", DecoderHere)


@pytest.fixture
def pipeline() -> MGLDPipeline:
    """Make a pipeline with random weights, temporal layers switched on; its pictures mean nothing, its behaviour does."""
    from tests.small import small_pipeline

    return small_pipeline()


@pytest.fixture
def clip_u8() -> np.ndarray:
    """Make u8 [7,20,24,3]: a texture that pans one pixel a frame."""
    wide = np.random.default_rng(0).integers(0, 256, (20, 40, 3), np.uint8)
    return np.stack([wide[:, i : i + 24] for i in range(7)])


@pytest.fixture(scope="module")
def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


# Each of their tests decodes or writes clips, in processes of their own, or trains: a second or more, hundreds of times.
SLOW_PLACES = (
    "video", "soak", "training", "parity", "flow/test_cuts.py", "convert/test_full_size.py", "convert/test_published.py",
    "convert/test_sd21.py", "test_commands.py", "test_example.py", "test_kept.py", "test_folders.py", "test_evaluate.py",
    "comparison/test_takeaway.py", "comparison/test_report_page.py", "comparison/test_request.py",
    "comparison/test_cost.py", "ui/test_running.py", "ui/test_planning.py", "ui/test_handlers.py", "ui/test_scope.py",
    "ui/test_taking.py", "ui/test_files.py", "ui/test_page.py", "ui/test_first_sight.py", "ui/test_uploads.py",
)  # fmt: skip


MOST_WORKERS = 4  # each holds the networks; and all browser tests are one worker's


def pytest_xdist_auto_num_workers(config) -> int:
    """Spread the suite over the cores; what is asked for by its file is over before a second process has started."""
    cores = min(os.cpu_count() or 1, MOST_WORKERS)
    workers = 3 if cores == 2 else cores  # a test that waits for a browser or a server leaves a core to another
    return workers if config.args_source is config.ArgsSource.TESTPATHS and cores > 1 else 0


# Groups that take ten seconds or more, the longest first: a long one that begins last keeps one process busy alone.
LONGEST = (
    "browser", "soak", "test_commands.py", "cluster/test_pool.py", "test_kept.py", "ui/test_running.py",
    "convert/test_full_size.py", "cluster/test_spread.py", "training/test_distil.py", "test_space.py",
    "video/test_hostile.py", "test_expected.py", "training/test_stages.py", "convert/test_sd21.py", "nets/test_norm.py",
    "video/test_writer.py", "ui/test_uploads.py", "training/test_sitting.py", "training/test_ranks.py",
    "convert/test_published.py", "test_pipeline.py", "ui/test_page.py", "test_evaluate.py", "ui/test_first_sight.py",
)  # fmt: skip


def group_of(nodeid: str) -> str:
    """Return what goes to one process together: a file's tests, and all of those folders whose tests share a page."""
    place = place_of(nodeid)
    folder = place.partition("/")[0]
    return folder if folder in ("browser", "soak") else place


def pytest_collection_modifyitems(items) -> None:
    """Leave what lies in slow places out of the fast lane, and put the longest groups first."""
    for item in items:
        if place_of(item.nodeid).startswith(SLOW_PLACES):
            item.add_marker(pytest.mark.slow)
    turns = {group: turn for turn, group in enumerate(LONGEST)}
    items.sort(key=lambda item: turns.get(group_of(item.nodeid), len(turns)))


def pytest_collection_finish() -> None:
    """Look for garbage again, but no more among what modules and collected tests are made of; jobs look after each run."""
    memory.settle()
    gc.enable()


def pytest_xdist_make_scheduler(config, log) -> LoadScopeScheduling:
    """Hand out whole groups. xdist 3.8 keeps `loadgroup` by names that pytest 9.2 does not let it give: single tests come out."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return Together(config, log)
