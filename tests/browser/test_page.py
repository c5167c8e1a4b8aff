"""The page in a real browser: open, upload, run, watch, cancel; desktop and phone."""

from __future__ import annotations

import numpy as np
import pytest

from mgld.ui.page import build, launch
from tests import media

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(free_port):
    page = build("tiny", "cpu")
    launch(page, "tiny", "cpu", free_port, block=False)
    yield f"http://127.0.0.1:{free_port}"
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


def upload(page, clip) -> None:
    page.set_input_files("#clip input[type=file]", str(clip))
    page.wait_for_selector("#clip video")


def test_first_sight_is_a_finished_comparison(browser, address):
    page = open_page(browser, address)
    page.wait_for_function("document.querySelector('canvas.stage')?.dataset.frame === '0'", timeout=10_000)
    assert "MGLD" in page.inner_text("#figures")
    for control in ("#knob-steps", "#knob-guidance", "#knob-flow", "#run"):
        assert page.locator(control).bounding_box()["y"] < 900
    page.close()


def test_a_clip_goes_in_and_the_comparison_comes_out(browser, address, clip):
    page = open_page(browser, address)
    upload(page, clip)
    page.get_by_label("Clip length (frames)").first.fill("2")
    page.get_by_label("Steps").first.fill("2")
    page.wait_for_selector("#plan :text('64×64 → 256×256')", timeout=60_000)
    page.click("#run")
    page.wait_for_selector("#progress :text('2 frames in')", timeout=120_000)
    page.wait_for_function("document.querySelector('.count').textContent === '1 / 2'", timeout=30_000)
    layers = page.eval_on_selector_all("select.a option", "options => options.map(o => o.textContent)")
    assert layers == ["Input (bicubic)", "Per-frame (StableSR)", "MGLD"]
    names = page.inner_text("#files")
    assert all(name in names for name in ("comparison", "per_frame", "mgld", "report"))
    page.close()


def test_cancel_stops_the_run(browser, address, clip):
    page = open_page(browser, address)
    upload(page, clip)
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
