"""The comparison stage alone, with a clip whose grey levels say which frame and which layer is seen."""

from __future__ import annotations

import re

import cv2
import gradio as gr
import numpy as np
import pytest

from mgld.comparison.grid import Heat, stack_layers
from mgld.ui.compare import PAGE, CompareStage, shown
from tests.browser.conftest import stage_served

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
    maps = {
        name: np.full((FRAMES, HEIGHT // 2, WIDTH // 2, 3), 30 + 60 * i, np.uint8) for i, name in enumerate(coded())
    }
    value = stack_layers(
        tmp_path_factory.mktemp("stage") / "stage.mp4", coded(), 10, (10, 20), curves, Heat(maps, 40.0)
    )
    with stage_served(value, free_port, fill_width=True) as url:
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


def level(page, x: float, y: float = 0.2) -> int:
    """Read the stage's grey level at a share of its width and height."""
    script = """([x, y]) => { const c = document.querySelector('canvas.stage');
        return c.getContext('2d').getImageData(Math.floor(c.width * x), Math.floor(c.height * y), 1, 1).data[0]; }"""
    return page.evaluate(script, [x, y])


def go(page, frame: int) -> None:
    page.evaluate(
        "n => { const r = document.querySelector('.scrub'); r.value = n; r.dispatchEvent(new Event('input')); }", frame
    )
    page.wait_for_function(f"document.querySelector('canvas.stage')?.dataset.frame === '{frame}'")


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


def frame_is(page, frame: int) -> None:
    page.wait_for_function(f"document.querySelector('canvas.stage')?.dataset.frame === '{frame}'")


def saved(page, action: str) -> np.ndarray:
    """Press a button that saves a picture and return it, u8 [H,W,3]."""
    with page.expect_download() as download:
        page.click(f"[data-do={action}]")
    picture = cv2.imread(str(download.value.path()))
    assert download.value.suggested_filename.endswith(".png")
    return picture


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


def test_the_profile_waits_for_pictures_that_come_late(browser, address):
    """A busy Chromium says that it has sought while it still holds another frame of the clip (3 s long)."""
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    page.add_init_script(LATE)
    page.goto(address)
    profile_shows_each_layer_over_time(page)
    page.close()


def test_the_profile_shows_each_layer_over_time(page):
    profile_shows_each_layer_over_time(page)


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


def test_the_profile_stands_beside_the_picture_where_there_is_room(browser, address):
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(address)
    page.wait_for_selector(".slices[data-ms]", timeout=20_000)
    stage, slices = (page.locator(c).bounding_box() for c in ("canvas.stage", ".slices"))
    assert slices["x"] > stage["x"] + stage["width"] and slices["y"] + slices["height"] < 900
    page.click("[data-view=side]")  # two pictures need the whole width
    page.wait_for_function("document.querySelector('.slices').getBoundingClientRect().top > 400")
    assert page.locator("canvas.stage").bounding_box()["width"] > 1.5 * stage["width"]
    page.close()


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


def test_zoom_keeps_what_is_under_the_pointer_and_pans(page):
    box = page.locator("canvas.stage").bounding_box()
    left = box["width"] / 2 - box["height"] * WIDTH / HEIGHT / 2  # of the picture
    page.focus(".viewer")
    page.mouse.move(box["x"] + left + 10, box["y"] + 40)
    for _ in range(20):
        page.mouse.wheel(0, -100)
    page.wait_for_function("document.querySelector('canvas.stage').dataset.zoom === '8'")
    assert abs(level(page, 0.45) - 16) <= 3  # the left half, in the middle of the stage
    for _ in range(45):
        page.keyboard.press("Shift+ArrowRight")
    assert level(page, 0.45) >= 130  # now the right half is there
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.3 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.3 * box["height"], steps=4)
    page.mouse.up()
    page.keyboard.press("0")
    assert page.inner_text(".zoom") == "1×"


def test_the_loop_is_set_by_keys_and_by_pointer(page):
    page.focus(".viewer")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    frame_is(page, 3)
    page.keyboard.press("[")
    assert page.get_attribute(".edge.from", "aria-valuetext") == "frame 4 of 30"
    edge, track = page.locator(".edge.to").bounding_box(), page.locator(".track").bounding_box()
    page.mouse.move(edge["x"] + 5, edge["y"] + 8)
    page.mouse.down()
    page.mouse.move(track["x"] + track["width"] * 9 / 29, edge["y"] + 8, steps=4)
    page.mouse.up()
    assert page.get_attribute(".edge.to", "aria-valuenow") == "10"
    frame_is(page, 9)
    page.focus(".viewer")
    page.keyboard.press("r")
    assert page.get_attribute(".edge.to", "aria-valuenow") == "30"


def test_holding_x_flips(page):
    page.focus(".viewer")
    page.keyboard.down("x")
    assert abs(level(page, 0.55) - 130) <= 3  # layer A is the second
    page.keyboard.up("x")
    assert abs(level(page, 0.55) - 200) <= 3


def test_the_flicker_map_is_a_layer_of_the_same_frame(page):
    page.focus(".viewer")
    page.keyboard.press("h")
    assert abs(level(page, 0.45) - 90) <= 4 and abs(level(page, 0.55) - 150) <= 4
    assert "40 grey levels" in page.inner_text(".scale")
    page.keyboard.press("d")
    assert not page.is_visible(".scale")


def test_a_strip_is_cut_pixel_by_pixel(page):
    go(page, 5)
    page.click("[data-do=strip]")
    box = page.locator("canvas.stage").bounding_box()
    wide = box["height"] * WIDTH / HEIGHT
    left = box["x"] + (box["width"] - wide) / 2
    page.mouse.move(left + 0.125 * wide, box["y"] + 0.1 * box["height"])
    page.mouse.down()
    page.mouse.move(left + 0.375 * wide, box["y"] + 0.4 * box["height"], steps=4)
    page.mouse.up()
    page.select_option(".strip-frames", "3")
    page.select_option(".strip-scale", "2")
    page.wait_for_selector(".strip canvas[data-frames='3'][data-scale='2'][data-frame='5']")
    told = {k: int(v) for k, v in page.evaluate("({...document.querySelector('.strip canvas').dataset})").items()}
    assert abs(told["w"] - 32) <= 1 and abs(told["h"] - 29) <= 1
    picture = saved(page, "savestrip")
    assert picture.shape[1] == told["gutter"] + 3 * (2 * told["w"] + 4)
    for i in range(3):
        x = told["gutter"] + i * (2 * told["w"] + 4) + told["w"]
        assert abs(int(picture[told["head"] + 20, x, 0]) - (16 + 7 * (5 + i))) <= 3
    page.focus(".box")
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_selector(f".strip canvas[data-w='{told['w'] + 2}']")


def test_views_and_plots_are_saved_as_pictures(page):
    page.wait_for_selector(".slices[data-ms]", timeout=20_000)
    stage = page.evaluate("(({width, height}) => [height, width])(document.querySelector('canvas.stage'))")
    assert list(saved(page, "save").shape[:2]) == stage
    profile = saved(page, "saveprofile")
    assert profile.shape[1] >= WIDTH and profile.shape[0] >= LAYERS * 4 * FRAMES
    assert profile[0, 0].tolist() == [255, 255, 255] and (profile[:80] < 100).any()  # on paper, with a title
    assert saved(page, "savecurves").shape[0] > 150


def test_the_loupe_shows_every_layer(page):
    page.focus(".viewer")
    page.keyboard.press("l")
    box = page.locator("canvas.stage").bounding_box()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.2 * box["height"])
    middle, y = 0.6 * box["width"], 0.2 * box["height"] + 20 + 60
    levels = [level(page, (middle + (i - 1) * 118) / box["width"], y / box["height"]) for i in range(LAYERS)]
    assert levels == pytest.approx([60, 130, 200], abs=4)


def test_curves_are_told_in_words_and_read_at_the_frame(page):
    assert "Layer 2: mean 2.5" in page.inner_text(".curves .quiet")
    go(page, FRAMES - 1)
    assert [cell.inner_text() for cell in page.locator(".legend .now").all()] == ["2", "3", "4"]


def test_every_key_is_documented(page):
    script = (PAGE / "compare" / "hands.js").read_text()
    table = script[script.index("const KEYS = {") : script.index("const PANS")]
    keys = {a or b for a, b in re.findall(r"(?:^|[{,])\s*(?:'(.+?)'|(\w+)): (?=[\w(])", table, re.M)} - {
        "=",
        "k",
    }  # other names
    names = {" ": "Space", "ArrowLeft": "←", "ArrowRight": "→", "ArrowUp": "↑", "ArrowDown": "↓", "-": "−"}
    names |= {"PageUp": "Page", "PageDown": "Page"}
    told = {kbd.text_content() for kbd in page.locator(".keys kbd").all()}
    assert len(keys) > 25
    assert {names.get(key, key.upper() if len(key) == 1 else key) for key in keys} <= told


def test_a_growing_comparison_keeps_how_it_is_looked_at(browser, tmp_path_factory):
    folder = tmp_path_factory.mktemp("growing")

    def grown(frames: int):
        cut = {name: clip[:frames] for name, clip in coded().items()}
        return shown(stack_layers(folder / f"{frames}.mp4", cut, 10))

    with gr.Blocks(analytics_enabled=False) as blocks:
        stage, more = CompareStage(grown(8), elem_id="stage"), gr.Button("More", elem_id="more")
        more.click(lambda: grown(20), None, stage)
    _, address, _ = blocks.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False)
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    page.goto(address)
    frame_is(page, 0)
    page.focus(".viewer")
    for key in ("1", "d", "+", "p", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    frame_is(page, 2)
    page.click("#more")
    page.wait_for_function("document.querySelector('.count').textContent === '3 / 20'")
    assert page.get_attribute("canvas.stage", "data-view") == "diff" and page.inner_text(".zoom") == "1.5×"
    assert page.input_value("select.b") == "0" and "x =" in page.get_attribute(".line-handle", "aria-valuetext")
    page.close()
    blocks.close()


HIDE = """addEventListener('DOMContentLoaded', () => {
    document.head.insertAdjacentHTML('beforeend', '<style id=hide>#stage { display: none }</style>');
});"""


def test_a_stage_that_was_hidden_while_it_loaded_paints_when_it_is_seen(browser, address):
    page = browser.new_page()
    page.add_init_script(HIDE)
    page.goto(address)
    page.wait_for_function("document.querySelector('video.main')?.readyState >= 2")
    assert page.get_attribute("canvas.stage", "data-frame") is None
    page.evaluate("document.getElementById('hide').remove()")
    frame_is(page, 0)
    assert page.locator("canvas.stage").bounding_box()["height"] > 100
    page.close()


def test_a_picture_that_is_not_there_yet_is_taken_when_it_is(browser, address):
    """While a clip is replaced Chromium refuses to hand out a picture, whatever the video's state says."""
    page = browser.new_page()
    page.add_init_script(
        """const Real = window.VideoFrame; let refused = 0;
        window.VideoFrame = function (video) {
          if (refused++ < 1) throw new DOMException('Invalid source state', 'InvalidStateError');
          return new Real(video);
        };"""
    )
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    page.wait_for_function("document.querySelector('canvas.stage')?.dataset.frame === '0'", timeout=15_000)
    assert errors == []
    page.close()


def test_a_broken_connection_is_tried_again(browser, address):
    page, times = browser.new_page(), []

    def answer(route):
        times.append(route.request.url)
        route.abort() if len(times) == 1 else route.continue_()

    page.route("**/stage.mp4", answer)
    page.goto(address)
    page.wait_for_function("document.querySelector('canvas.stage')?.dataset.frame === '0'")
    assert len(times) > 1
    page.close()


@pytest.mark.parametrize("width", [390, 720])  # a phone; a desktop screen of 1440 enlarged to 200 %
def test_nothing_rolls_sideways(browser, address, width):
    page = browser.new_page(viewport={"width": width, "height": 450})
    page.goto(address)
    page.wait_for_function("document.querySelector('canvas.stage')?.dataset.frame === '0'")
    page.click(".keys summary")
    page.click("[data-do=strip]")
    page.wait_for_selector(".slices[data-ms]", timeout=20_000)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.close()


def test_a_line_across_four_wide_layers_is_drawn_while_it_moves(browser, tmp_path_factory):
    """60 frames × 1024 pixels × 4 layers in less than 100 ms."""
    noise = np.random.default_rng(0).integers(0, 256, (60, 32, 128, 1), np.uint8).repeat(8, 1).repeat(8, 2).repeat(3, 3)
    layers = {f"Layer {i}": np.roll(noise, i, 1) for i in range(4)}
    value = stack_layers(tmp_path_factory.mktemp("wide") / "stage.mp4", layers, 25)
    with gr.Blocks(analytics_enabled=False) as blocks:
        CompareStage(shown(value), elem_id="stage")
    _, address, _ = blocks.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False)
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(address)
    page.wait_for_selector(".slices[data-ms]", timeout=60_000)
    assert "to spare memory" not in page.inner_text(".profile .where")  # all 1024 pixels are there
    page.focus(".viewer")
    taken = []
    for key in ["ArrowDown"] * 6 + ["p"] + ["ArrowUp"] * 6:
        page.keyboard.press(key)
        taken.append(float(page.get_attribute(".slices", "data-ms")))
    assert float(np.median(taken)) < 100
    page.close()
    blocks.close()
