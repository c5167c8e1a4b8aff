"""The comparison stage alone, with a clip whose grey levels say which frame and which layer is seen."""

from __future__ import annotations

import random

import gradio as gr
import numpy as np
import pytest

from mgld.ui.compare import CompareStage, stack_layers

pytestmark = pytest.mark.browser
FRAMES, LAYERS, HEIGHT, WIDTH = 30, 3, 96, 128


def coded() -> dict[str, np.ndarray]:
    """Left half: the frame number as a grey level; right half: the layer's own level."""
    layers = {}
    for layer in range(LAYERS):
        clip = np.zeros((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
        for frame in range(FRAMES):
            clip[frame, :, : WIDTH // 2] = 16 + 7 * frame
            clip[frame, :, WIDTH // 2 :] = 60 + 70 * layer
        layers[f"Layer {layer}"] = clip
    return layers


@pytest.fixture(scope="module")
def address(tmp_path_factory, free_port):
    curves = [{"name": "error", "values": [[None, *np.linspace(1, 2 + i, FRAMES - 1).tolist()] for i in range(LAYERS)]}]
    value = stack_layers(tmp_path_factory.mktemp("stage") / "stage.mp4", coded(), 10, (10, 20), curves)
    with gr.Blocks(analytics_enabled=False) as page:
        CompareStage(value, elem_id="stage")
    page.launch(server_port=free_port, prevent_thread_lock=True, quiet=True, ssr_mode=False)
    yield f"http://127.0.0.1:{free_port}"
    page.close()


@pytest.fixture
def page(browser, address):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(address)
    page.wait_for_function("document.querySelector('canvas.stage')?.dataset.frame === '0'")
    yield page
    assert page.errors == []
    page.close()


def level(page, x: float, y: float = 0.2) -> int:
    """Read the stage's grey level at a share of its width and height."""
    script = """([x, y]) => { const c = document.querySelector('canvas.stage');
        return c.getContext('2d').getImageData(Math.floor(c.width * x), Math.floor(c.height * y), 1, 1).data[0]; }"""
    return page.evaluate(script, [x, y])


def go(page, frame: int) -> None:
    page.evaluate(
        "n => { const r = document.querySelector('.scrub'); r.value = n; r.dispatchEvent(new Event('input')); }", frame
    )
    page.wait_for_function(f"document.querySelector('canvas.stage').dataset.frame === '{frame}'")


def panes(page) -> list[tuple[float, float]]:
    """Return (left, width) of the three grid panes as shares of the canvas."""
    width, height = page.evaluate("(({width, height}) => [width, height])(document.querySelector('canvas.stage'))")
    gap, high = 4, height
    wide = min((width - 2 * gap) // 3, int(high * WIDTH / HEIGHT))
    left = (width - 3 * wide - 2 * gap) // 2
    return [((left + i * (wide + gap)) / width, wide / width) for i in range(LAYERS)]


def test_every_layer_shows_the_same_frame_after_any_seek(page):
    page.click("[data-view=grid]")
    numbers = random.Random(0)
    for frame in [numbers.randrange(FRAMES) for _ in range(40)]:
        go(page, frame)
        for layer, (left, wide) in enumerate(panes(page)):
            assert abs(level(page, left + 0.25 * wide, 0.7) - (16 + 7 * frame)) <= 3, (frame, layer)
            assert abs(level(page, left + 0.75 * wide, 0.7) - (60 + 70 * layer)) <= 3


def test_the_divider_follows_the_pointer_and_the_keys(page):
    box = page.locator("canvas.stage").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 0.2 * box["height"])
    page.mouse.up()
    moved = float(page.get_attribute("canvas.stage", "data-wipe"))
    assert moved > 0.55
    page.keyboard.press(".")
    assert float(page.get_attribute("canvas.stage", "data-wipe")) == pytest.approx(moved + 0.02, abs=1e-3)


def test_keys_step_frames_and_play_reaches_the_end(page):
    page.focus(".viewer")
    for key, wanted in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1)):
        page.keyboard.press(key)
        page.wait_for_function(f"document.querySelector('canvas.stage').dataset.frame === '{wanted}'")
    page.click("[data-do=loop]")
    go(page, FRAMES - 4)
    page.click("[data-do=play]")
    page.wait_for_function(f"document.querySelector('canvas.stage').dataset.frame === '{FRAMES - 1}'", timeout=10_000)


def test_difference_of_equal_halves_is_black_and_of_others_is_their_distance(page):
    page.click("[data-view=diff]")
    page.select_option(".k", "1")
    assert abs(level(page, 0.5 - 0.1, 0.7)) <= 3
    assert abs(level(page, 0.5 + 0.1, 0.7) - 70) <= 4


def test_zoom_shows_pixels_of_the_middle(page):
    for _ in range(6):
        page.click("[data-do=in]")
    assert page.inner_text(".zoom") == "8×"


def test_profile_is_drawn_at_once_and_leads_to_its_frame(page):
    page.wait_for_function("document.querySelector('.slices').dataset.ms", timeout=20_000)
    page.focus(".viewer")
    page.keyboard.press("ArrowDown")
    assert float(page.get_attribute(".slices", "data-ms")) < 100
    assert "y =" in page.inner_text(".where")
    page.locator(".slices").scroll_into_view_if_needed()
    box = page.locator(".slices").bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 18 + 4 * 12 + 1)  # the thirteenth row of the first block, four pixels each
    page.wait_for_function("document.querySelector('canvas.stage').dataset.frame === '12'")
    page.click("[data-do=turn]")
    assert "x =" in page.inner_text(".where")


def test_curves_are_told_in_words(page):
    assert "Layer 2: mean" in page.inner_text(".charts .quiet")


def test_a_phone_has_no_sideways_scrolling(browser, address):
    page = browser.new_page(viewport={"width": 390, "height": 844}, has_touch=True)
    page.goto(address)
    page.wait_for_function("document.querySelector('canvas.stage')?.dataset.frame === '0'")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.close()
