"""The temporal profile: its picture, its line, and the way from it to a frame."""

from __future__ import annotations

import numpy as np
import pytest

from mgld.comparison.grid import stack_layers
from mgld.ui.compare import shown
from tests.browser.coded import FRAMES, LAYERS, frame_is
from tests.browser.conftest import stage_served

pytestmark = pytest.mark.browser


def test_profile_leads_to_its_frame_and_tells_its_line(page):
    page.wait_for_selector(".slices[data-ms]", timeout=20_000)
    page.focus(".viewer")
    page.keyboard.press("ArrowDown")
    assert "y = 49" in page.inner_text(".profile .where") and "segment borders" in page.inner_text(".profile .where")
    page.locator(".slices").scroll_into_view_if_needed()
    box = page.locator(".slices").bounding_box()
    page.mouse.move(
        box["x"] + 80, box["y"] + 24 + 4 * 12 + 1
    )  # the thirteenth row of the first slice, four pixels each
    frame_is(page, 12)
    page.focus(".slices")
    page.keyboard.press("ArrowRight")
    frame_is(page, 13)
    page.click("[data-do=turn]")
    assert "x = 66" in page.inner_text(".profile .where")  # the same share of the picture
    assert "Layer 2 changes by" in page.get_attribute(".slices", "aria-label")


def test_the_profile_shows_each_layer_over_time(seen):
    profile_shows_each_layer_over_time(seen)


LATE = """const Real = VideoFrame, draw = CanvasRenderingContext2D.prototype.drawImage, asked = new Map();
    const time = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, 'currentTime');
    const set = function (to) { asked.set(this, 0); time.set.call(this, to); };
    Object.defineProperty(HTMLMediaElement.prototype, 'currentTime', { ...time, set });
    const late = (video) => !video.classList.contains('main') && (asked.get(video) ?? 9) < 3;
    window.VideoFrame = function (video) {
      asked.set(video, (asked.get(video) ?? 9) + 1);
      const picture = new Real(video);
      return late(video) ? new Real(picture, { timestamp: (picture.timestamp + 7e5) % 3e6 }) : picture;
    };
    CanvasRenderingContext2D.prototype.drawImage = function (source, ...where) {
      if (!(source instanceof HTMLVideoElement && late(source))) draw.call(this, source, ...where);
    };"""


def test_the_profile_waits_for_pictures_that_come_late(visit, address):
    """A busy Chromium says that it has sought while it still holds another frame of the clip (3 s long)."""
    profile_shows_each_layer_over_time(visit(address, first=LATE))


def profile_shows_each_layer_over_time(page) -> None:
    page.wait_for_selector(".slices[data-ms]", timeout=20_000)
    for layer in range(LAYERS):
        for frame in (0, 11, 29):
            script = (
                """([x, y]) => [...document.querySelector('.slices').getContext('2d').getImageData(x, y, 1, 1).data]"""
            )
            y = layer * (24 + 4 * FRAMES + 8) + 24 + 4 * frame + 2
            assert abs(page.evaluate(script, [200, y])[0] - (16 + 7 * frame)) <= 4
            assert abs(page.evaluate(script, [800, y])[0] - (60 + 70 * layer)) <= 4


def test_the_profile_stands_beside_the_picture_where_there_is_room(visit, address):
    page = visit(address, 1440)
    page.wait_for_selector(".slices[data-ms]", timeout=20_000)
    stage, slices = (page.locator(c).bounding_box() for c in ("canvas.stage", ".slices"))
    assert slices["x"] > stage["x"] + stage["width"] and slices["y"] + slices["height"] < 900
    page.click("[data-view=side]")  # two pictures need the whole width
    page.wait_for_function("document.querySelector('.slices').getBoundingClientRect().top > 400")
    assert page.locator("canvas.stage").bounding_box()["width"] > 1.5 * stage["width"]


def test_the_line_is_dragged_and_nudged(page):
    page.wait_for_selector(".slices[data-ms]", timeout=20_000)
    handle, stage = page.locator(".line-handle").bounding_box(), page.locator("canvas.stage").bounding_box()
    page.mouse.move(handle["x"] + 9, handle["y"] + 9)
    page.mouse.down()
    page.mouse.move(handle["x"] + 9, stage["y"] + 0.25 * stage["height"] + 1, steps=3)
    page.mouse.up()
    assert "y = 24" in page.inner_text(".profile .where")
    page.focus(".line-handle")
    page.keyboard.press("PageDown")
    assert page.get_attribute(".line-handle", "aria-valuetext") == "y = 34"
    assert float(page.get_attribute("canvas.stage", "data-wipe")) == 0.5  # the handle takes what lies under it


def test_a_line_across_four_wide_layers_is_drawn_while_it_moves(visit, tmp_path_factory):
    """60 frames × 1024 pixels × 4 layers in less than 100 ms."""
    noise = np.random.default_rng(0).integers(0, 256, (60, 8, 128, 1), np.uint8).repeat(8, 1).repeat(8, 2).repeat(3, 3)
    layers = {f"Layer {i}": np.roll(noise, i, 1) for i in range(4)}
    path = tmp_path_factory.mktemp("wide") / "stage.mp4"
    with stage_served(shown(path, stack_layers(path, layers, 25))) as address:
        drawn_while_it_moves(visit(address, 1440))


def drawn_while_it_moves(page) -> None:
    page.wait_for_selector(".slices[data-ms]", timeout=60_000)
    assert "to spare memory" not in page.inner_text(".profile .where")  # all 1024 pixels are there
    page.focus(".viewer")
    taken = []
    for key in ["ArrowDown"] * 6 + ["p"] + ["ArrowUp"] * 6:
        page.keyboard.press(key)
        taken.append(float(page.get_attribute(".slices", "data-ms")))
    assert float(np.median(taken)) < 100
