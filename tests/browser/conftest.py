"""A browser, and pages served on free ports."""

from __future__ import annotations

import os
import shutil
import socket
import time
from contextlib import closing, contextmanager
from dataclasses import replace

import numpy as np
import pytest

from tests import media
from tests.browser.coded import FRAMES, HEIGHT, LAYERS, WIDTH, coded
from tests.small import small_pipeline

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        if os.environ.get("MGLD_REQUIRE_BROWSER"):
            pytest.fail("Chromium is required here and is not installed.")
        pytest.skip("Chromium is not installed.")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def stage_served(value, port, **blocks):
    """Serve a page that holds the comparison stage alone; yield its address."""
    import gradio as gr

    from mgld.ui.compare import CompareStage

    with gr.Blocks(analytics_enabled=False, **blocks) as page:
        CompareStage(value, elem_id="stage")
    _, address, _ = page.launch(server_port=port, prevent_thread_lock=True, quiet=True, ssr_mode=False)
    yield address.rstrip("/")
    page.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory, free_port):
    from mgld.comparison.grid import Heat, stack_layers
    from mgld.comparison.stage import Column, Curve
    from mgld.ui.compare import shown

    curves = [Curve("we", "error", [[None, *np.linspace(1, 2 + i, FRAMES - 1).tolist()] for i in range(LAYERS)])]
    maps = {
        name: np.full((FRAMES, HEIGHT // 2, WIDTH // 2, 3), 30 + 60 * i, np.uint8) for i, name in enumerate(coded())
    }
    table = [
        Column("we", "error", 2, ["1.50", "2.00", "2.50"], [False, True, False]),
        Column("psnr", "PSNR", 1, ["20.0", "30.0", "25.0"], [False] * LAYERS),
    ]
    path = tmp_path_factory.mktemp("stage") / "stage.mp4"
    stage = stack_layers(path, coded(), 10, (10, 20), curves, Heat(maps, 40.0), table=table)
    with stage_served(shown(path, stage), free_port, fill_width=True) as url:
        yield url


@pytest.fixture
def page(browser, address):
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(address)
    page.wait_for_function("document.querySelector('canvas.stage')?.dataset.frame === '0'")
    yield page
    assert page.errors == []
    page.close()


@pytest.fixture(scope="module")
def seen(browser, address):
    """The stage alone in a page that tests of a file share: they look at it, and leave it as it is."""
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    page.goto(address)
    page.wait_for_selector(".slices[data-ms]", timeout=20_000)
    yield page
    page.close()


@pytest.fixture(scope="session")
def small_model(tmp_path_factory) -> str:
    """Random networks in a folder: what a run does is the same as the shipped model's, and takes a fraction of its time."""
    folder = tmp_path_factory.mktemp("models") / "small"
    small_pipeline().save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def machine(small_model):
    from mgld.ui.page import this_machine

    machine = this_machine("cpu", model=small_model)
    return replace(machine, run_all=Runs(machine.run_all))


class Runs:
    """The machine's runs, each event of which may take longer: who waits keeps no processor busy, as more steps would."""

    event_s = 0.0

    def __init__(self, run_all) -> None:
        self._run_all = run_all

    def __call__(self, job):
        with closing(self._run_all(job)) as events:
            for event in events:
                time.sleep(self.event_s)
                yield event


@pytest.fixture
def unhurried(machine, monkeypatch):
    """Let runs of a test take so long that it can act in the middle of one."""
    monkeypatch.setattr(machine.run_all, "event_s", 0.2)


@pytest.fixture(scope="session")
def studio_address(machine, small_model):
    """Serve the page for all tests: to measure this machine's speed, as it does first, takes a while."""
    from mgld.ui.page import MEASURED, build, launch

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    page = build(small_model, machine)
    launch(page, small_model, machine, port, block=False)
    yield f"http://127.0.0.1:{port}"
    page.close()
    assert MEASURED.wait(120)  # a thread that is inside torch when the process ends would abort it


@pytest.fixture
def opened(browser, studio_address):
    """Open pages that must end without a script error.

    The example rests, for a clip that plays costs a whole processor; and unless a test asks for its video that does not come
    (the picture is there before it): to read all its frames for the profile costs as much as the page.
    """
    pages = []

    def open_page(
        width: int = 1440, height: int = 900, query: str = "", motion: str = "reduce", with_video: bool = False
    ):
        page = browser.new_page(viewport={"width": width, "height": height}, reduced_motion=motion)
        page.broken = []
        page.on("pageerror", lambda error: page.broken.append(str(error)))
        page.on("console", lambda m: page.broken.append(m.text) if m.type == "error" and "Error in" in m.text else None)
        if not with_video:
            page.route("**/stage.mp4", lambda route: None, times=1)  # never answered; those of runs are
        page.goto(studio_address + query)
        page.wait_for_selector("#run")
        page.wait_for_function("document.querySelector('canvas.stage')?.dataset.frame", timeout=15_000)
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        assert page.broken == []
        page.close()


@pytest.fixture
def clip(tmp_path):
    wide = np.random.default_rng(time.time_ns()).integers(0, 256, (8, 20, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    return media.make_video(
        tmp_path / "clip.mp4", [np.ascontiguousarray(wide[:, 2 * i : 2 * i + 32]) for i in range(12)], fps=10
    )
