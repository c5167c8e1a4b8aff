"""A browser, and pages served on free ports."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
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


class Tabs:
    """A browser's tabs, each of which goes from test to test: one that stays has fetched and compiled the page's scripts."""

    def __init__(self, browser) -> None:
        self._browser, self._idle = browser, []

    @contextmanager
    def lent(self, url: str, width: int = 1000, height: int = 900, motion: str = "no-preference", first: str = ""):
        """Lend a tab that has gone there, where `first` runs before the page's own scripts; no script may break in it."""
        tab = self._idle.pop() if self._idle else self._browser.new_page()
        tab.set_viewport_size({"width": width, "height": height})
        tab.emulate_media(reduced_motion=motion)
        with heard(tab) as broken, run_first(tab, first):
            tab.goto(url)
            yield tab
            if not tab.is_closed():
                self._emptied(tab)
        assert broken == []

    def _emptied(self, tab) -> None:
        tab.evaluate("localStorage.clear()")
        tab.context.clear_cookies()
        tab.unroute_all(behavior="ignoreErrors")
        tab.goto("about:blank")
        self._idle.append(tab)


@contextmanager
def heard(page) -> Iterator[list[str]]:
    """Yield what the page's scripts will complain of."""
    broken: list[str] = []

    def on_error(error) -> None:
        broken.append(str(error))

    def on_console(said) -> None:
        if said.type == "error" and "Error in" in said.text:
            broken.append(said.text)

    page.on("pageerror", on_error)
    page.on("console", on_console)
    yield broken
    page.remove_listener("pageerror", on_error)
    page.remove_listener("console", on_console)


@contextmanager
def run_first(page, script: str) -> Iterator[None]:
    """Run a script before those of every page that is gone to; Playwright's own way to do so is for good."""
    if not script:
        yield
        return
    devtools = page.context.new_cdp_session(page)
    devtools.send("Page.enable")
    devtools.send("Page.addScriptToEvaluateOnNewDocument", {"source": script})
    yield
    if not page.is_closed():
        devtools.detach()  # and with it goes the script


@pytest.fixture(scope="session")
def tabs(browser) -> Tabs:
    return Tabs(browser)


@pytest.fixture
def visit(tabs):
    """Go to an address in a tab of one's own, as Tabs.lent does."""
    with ExitStack() as visits:
        yield lambda url, *size, **more: visits.enter_context(tabs.lent(url, *size, **more))


@contextmanager
def stage_served(value, **blocks):
    """Serve a page that holds the comparison stage alone; yield its address."""
    import gradio as gr

    from mgld.ui.compare import CompareStage

    with gr.Blocks(analytics_enabled=False, **blocks) as page:
        CompareStage(value, elem_id="stage")
    with served(page) as url:
        yield url


@contextmanager
def served(page):
    """Serve any page on a port that is free; yield its address."""
    _, address, _ = page.launch(server_port=free_port(), prevent_thread_lock=True, quiet=True, ssr_mode=False)
    yield address.rstrip("/")
    page.close()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="session")
def address(tmp_path_factory):
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
    with stage_served(shown(path, stage), fill_width=True) as url:
        yield url


@pytest.fixture
def page(visit, address):
    page = visit(address)
    page.wait_for_function("document.querySelector('canvas.stage')?.dataset.frame === '0'")
    return page


@pytest.fixture(scope="module")  # and no longer: a page that rests takes a twentieth of a processor all the same
def seen(tabs, address):
    """The stage alone in a tab that a file's tests share: they look at it, and leave it as it is."""
    with tabs.lent(address) as page:
        page.wait_for_selector(".slices[data-ms]", timeout=20_000)
        yield page


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
    """Let runs of a test take so long that it can act in the middle of one; then it may let them hurry: event_s = 0."""
    monkeypatch.setattr(machine.run_all, "event_s", 0.2)
    return machine.run_all


@pytest.fixture(scope="session")
def studio_address(machine, small_model):
    """Serve the page for all tests: to measure this machine's speed, as it does first, takes a while."""
    from mgld.comparison import cost
    from mgld.ui.page import MEASURED, build, launch

    page, port = build(small_model, machine), free_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cost, "MEASURED", (("mgld", 32), ("mgld", 32)))  # that something is learned is enough
        launch(page, small_model, machine, port, block=False)
        assert MEASURED.wait(120)
    yield f"http://127.0.0.1:{port}"
    page.close()


NO_VIDEO = """{
    const source = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, 'src');
    let asked = 0;
    const set = function (url) { if (asked++) source.set.call(this, url); };
    Object.defineProperty(HTMLMediaElement.prototype, 'src', { ...source, set });
}"""  # as if the first were never answered; those of runs are


@pytest.fixture
def opened(visit, studio_address):
    """Open pages whose picture is there.

    The example rests, for a clip that plays costs a whole processor; and unless a test asks for its video that does not come
    (the picture is there before it): to read all its frames for the profile costs as much as the page.
    """

    def open_page(
        width: int = 1440, height: int = 900, query: str = "", motion: str = "reduce", with_video: bool = False
    ):
        page = visit(studio_address + query, width, height, motion=motion, first="" if with_video else NO_VIDEO)
        page.wait_for_selector("#run")
        page.wait_for_function("document.querySelector('canvas.stage')?.dataset.frame", timeout=15_000)
        return page

    return open_page


@pytest.fixture
def clip(tmp_path):
    wide = np.random.default_rng(time.time_ns()).integers(0, 256, (8, 20, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    return media.make_video(
        tmp_path / "clip.mp4", [np.ascontiguousarray(wide[:, 2 * i : 2 * i + 32]) for i in range(12)], fps=10
    )
