"""The page in a real browser: open, upload, run, watch, cancel; desktop and phone."""

from __future__ import annotations

import os
import shutil
import socket

import numpy as np
import pytest

from mgld.ui.page import build, launch
from tests import media

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    page = build("tiny", "cpu")
    launch(page, port, block=False)
    yield f"http://127.0.0.1:{port}"
    page.close()


@pytest.fixture
def clip(tmp_path):
    wide = np.random.default_rng(0).integers(0, 256, (16, 40, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    return media.make_video(tmp_path / "clip.mp4", [wide[:, 4 * i : 4 * i + 64] for i in range(12)], fps=10)


def open_page(browser, address, width: int = 1440, height: int = 900):
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto(address)
    page.wait_for_selector("#run")
    return page


def test_a_clip_goes_in_and_the_result_plays(browser, address, clip):
    page = open_page(browser, address)
    page.set_input_files("#clip input[type=file]", str(clip))
    page.wait_for_selector("#clip video")
    page.get_by_label("Clip length (frames)").first.fill("2")
    page.get_by_label("Steps").first.fill("2")
    page.click("#run")
    page.wait_for_selector("#result video", timeout=120_000)
    page.wait_for_function("document.querySelector('#result video').readyState >= 1", timeout=30_000)
    size = page.evaluate("(({videoWidth, videoHeight}) => [videoWidth, videoHeight])(document.querySelector('#result video'))")
    assert size == [256, 256]
    assert "2 frames" in page.inner_text("#progress")
    page.close()


def test_cancel_stops_the_run(browser, address, clip):
    page = open_page(browser, address)
    page.set_input_files("#clip input[type=file]", str(clip))
    page.wait_for_selector("#clip video")
    page.get_by_label("Steps").first.fill("50")
    page.click("#run")
    page.wait_for_selector("#progress progress", timeout=120_000)
    page.click("#cancel")
    page.wait_for_function("document.querySelector('#progress').innerText.includes('Cancelled')", timeout=30_000)
    page.wait_for_timeout(1500)
    assert "Cancelled" in page.inner_text("#progress")
    page.close()


def test_run_without_a_clip_says_so(browser, address):
    page = open_page(browser, address)
    page.click("#run")
    page.wait_for_selector("text=Choose a clip first", timeout=30_000)
    page.close()


def test_a_phone_sees_the_whole_page(browser, address):
    page = open_page(browser, address, 390, 844)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.is_visible("#run")
    page.close()
