"""The comparison stage alone, with a clip whose grey levels say which frame and which layer is seen."""

from __future__ import annotations

import re

import pytest

from mgld.ui.element import PAGE
from tests.browser.coded import FRAMES, HEIGHT, LAYERS, WIDTH, frame_is, go, level, saved

pytestmark = pytest.mark.browser


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


def test_a_step_beyond_the_last_frame_stays_there(page):
    page.focus(".viewer")
    for key in ("End", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
        page.wait_for_timeout(300)
    last = f"document.querySelector('canvas.stage').dataset.frame === '{FRAMES - 1}'"
    assert page.evaluate(f"document.querySelector('video.main').paused && {last}")


def test_difference_of_equal_halves_is_black_and_of_others_is_their_distance(page):
    page.click("[data-view=diff]")
    page.select_option(".k", "1")
    assert abs(level(page, 0.5 - 0.1, 0.7)) <= 3
    assert abs(level(page, 0.5 + 0.1, 0.7) - 70) <= 4


def test_zoom_shows_pixels_of_the_middle(page):
    for _ in range(6):
        page.click("[data-do=in]")
    assert page.inner_text(".zoom") == "8×"


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


FINGERS = """(steps) => {
    const canvas = document.querySelector('canvas.stage'), place = canvas.getBoundingClientRect();
    canvas.setPointerCapture = () => {};  // which takes real fingers only
    for (const [kind, pointerId, x] of steps) canvas.dispatchEvent(new PointerEvent(`pointer${kind}`,
        {pointerId, pointerType: 'touch', bubbles: true, clientX: place.x + x * place.width, clientY: place.y + 40}));
}"""


def test_a_third_finger_may_come_and_go_while_two_pinch(page):
    down = [("down", 1, 0.4), ("down", 2, 0.6), ("down", 3, 0.7)]
    page.evaluate(FINGERS, [*down, ("up", 3, 0.7), ("move", 1, 0.3), ("move", 2, 0.7), ("up", 1, 0.3), ("up", 2, 0.7)])
    assert page.inner_text(".zoom") == "2×"


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


def test_views_and_plots_are_saved_as_pictures(seen):
    seen.wait_for_selector(".slices[data-ms]", timeout=20_000)
    stage = seen.evaluate("(({width, height}) => [height, width])(document.querySelector('canvas.stage'))")
    assert list(saved(seen, "save").shape[:2]) == stage
    profile = saved(seen, "saveprofile")
    assert profile.shape[1] >= WIDTH and profile.shape[0] >= LAYERS * 4 * FRAMES
    assert profile[0, 0].tolist() == [255, 255, 255] and (profile[:80] < 100).any()  # on paper, with a title
    assert saved(seen, "savecurves").shape[0] > 150


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
    assert [cell.inner_text() for cell in page.locator(".legend .now").all()] == ["2.00", "3.00", "4.00"]


def test_one_table_tells_of_the_frame_and_of_the_clip_and_marks_the_best(seen):
    cells = [[cell.inner_text() for cell in row.locator("th, td").all()] for row in seen.locator(".legend tr").all()]
    assert cells[:2] == [["Layer", "error", "PSNR"], ["this frame", "mean"]]
    assert cells[2:] == [
        ["Layer 0", "–", "1.50", "20.0"], ["Layer 1", "–", "2.00", "30.0"], ["Layer 2", "–", "2.50", "25.0"],
    ]  # fmt: skip
    assert [cell.inner_text() for cell in seen.locator(".legend .best").all()] == ["2.00"]


def test_every_key_is_documented(seen):
    script = (PAGE / "compare" / "keys.js").read_text()
    table = script[script.index("const KEYS = {") : script.index("const PANS")]
    keys = {a or b for a, b in re.findall(r"(?:^|[{,])\s*(?:'(.+?)'|(\w+)): (?=[\w(])", table, re.M)} - {
        "=",
        "k",
    }  # other names
    names = {" ": "Space", "ArrowLeft": "←", "ArrowRight": "→", "ArrowUp": "↑", "ArrowDown": "↓", "-": "−"}
    names |= {"PageUp": "Page", "PageDown": "Page"}
    told = {kbd.text_content() for kbd in seen.locator(".keys kbd").all()}
    assert len(keys) > 25
    assert {names.get(key, key.upper() if len(key) == 1 else key) for key in keys} <= told


def test_nothing_rolls_sideways(visit, address):
    page = visit(address, 390, 450)
    page.wait_for_function("document.querySelector('canvas.stage')?.dataset.frame === '0'")
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    page.click("[data-do=strip]")
    page.wait_for_selector(".slices[data-ms]", timeout=20_000)
    for width in (390, 720):  # a phone; a desktop screen of 1440 enlarged to 200 %
        page.set_viewport_size({"width": width, "height": 450})
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
