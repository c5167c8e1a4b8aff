"""Zero drift over 300 frames: what every layer shows, whenever it is painted, is the frame that the counter names."""

from __future__ import annotations

import random

import numpy as np
import pytest

from mgld.comparison.grid import stack_layers
from mgld.ui.compare import shown
from tests.browser.coded import go
from tests.browser.conftest import stage_served

pytestmark = pytest.mark.browser
FRAMES, LAYERS, HEIGHT, WIDTH, FPS = 300, 4, 96, 132, 50
BITS = 11  # nine say the frame, two the layer

# Reads the codes of all four panes whenever the stage has painted, in the same turn of the event loop.
WATCH = """([bits, wide, high]) => {
    const c = document.querySelector('canvas.stage'), g = c.getContext('2d');
    window.seen = [];
    new MutationObserver(() => {
        const h = (c.height - 4) / 2, w = h * wide / high, left = (c.width - 2 * w - 4) / 2;
        const codes = [0, 1].flatMap((row) => {
            const line = g.getImageData(0, Math.round(row * (h + 4) + 0.75 * h), c.width, 1).data;
            return [0, 1].map((column) => Array.from({length: bits}, (_, i) =>
                line[4 * Math.round(left + column * (w + 4) + w * (i + 0.5) / bits)] > 128 ? 2 ** i : 0).reduce((a, b) => a + b));
        });
        window.seen.push([Number(c.dataset.frame), codes]);
    }).observe(c, {attributes: true, attributeFilter: ['data-frame']});
}"""


SCRUB = "n => { const r = document.querySelector('.scrub'); r.value = n; r.dispatchEvent(new Event('input')); }"


def coded() -> dict[str, np.ndarray]:
    """Make clips whose eleven bars, black or white, are the bits of the frame number and of the layer number."""
    layers = {}
    for layer in range(LAYERS):
        codes = np.arange(FRAMES) + 512 * layer
        bars = ((codes[:, None] >> np.arange(BITS)) & 1).astype(np.uint8) * 255
        picture = bars[:, None, :, None].repeat(HEIGHT, 1).repeat(WIDTH // BITS, 2).repeat(3, 3)
        layers[f"Layer {layer}"] = picture
    return layers


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("lock") / "stage.mp4"
    with stage_served(shown(path, stack_layers(path, coded(), FPS))) as url:
        yield url


@pytest.fixture
def page(visit, address):
    page = visit(address)
    page.wait_for_function("document.querySelector('canvas.stage')?.dataset.frame === '0'")
    page.click("[data-view=grid]")
    page.evaluate(WATCH, [BITS, WIDTH, HEIGHT])
    return page


def painted(page) -> list[int]:
    """Return the frames that were painted since the last call; every pane of every one of them must be that frame."""
    seen = page.evaluate("window.seen.splice(0)")
    for frame, codes in seen:
        assert codes == [frame + 512 * layer for layer in range(LAYERS)]
    return [frame for frame, _ in seen]


def shows(page, frame: int) -> None:
    page.wait_for_function(f"document.querySelector('canvas.stage').dataset.frame === '{frame}'", timeout=20_000)


def test_playing_to_the_end_drifts_by_nothing(page):
    page.click("[data-do=loop]")
    page.click("[data-do=play]")
    shows(page, FRAMES - 1)
    frames = painted(page)
    assert frames == sorted(frames)
    assert len(set(frames)) > 20  # a slow machine drops frames, for all layers together


def test_slow_motion_drifts_by_nothing(page):
    page.click("[data-do=loop]")
    for speed in ("0.5", "0.25", "0.1"):
        page.select_option(".speed", speed)
        leaves_no_frame_out(page)
        assert page.evaluate("document.querySelector('video.main').playbackRate") == float(speed)


def leaves_no_frame_out(page) -> None:
    """A busy machine leaves out one frame now and another then; a stage that leaves one out always does."""
    left_out = set(range(1, 8))
    for _ in range(8):
        go(page, 0)
        painted(page)
        page.click("[data-do=play]")
        page.wait_for_function("window.seen.some(([n]) => n >= 8)", timeout=60_000)
        page.evaluate("document.querySelector('video.main').pause()")
        frames = painted(page)
        assert frames == sorted(frames)
        left_out -= set(frames)
        if not left_out:
            break
    assert not left_out


def test_scrubbing_and_stepping_drift_by_nothing(page):
    numbers = random.Random(0)
    for frame in [numbers.randrange(FRAMES) for _ in range(60)]:
        page.evaluate(SCRUB, frame)
        if numbers.random() < 0.5:  # else the next wish comes while this one is under way
            shows(page, frame)
    shows(page, frame)
    page.focus(".viewer")
    for key, by in (("ArrowRight", 1), ("ArrowLeft", -1), ("ArrowLeft", -1)):
        page.keyboard.press(key)
        frame = min(max(frame + by, 0), FRAMES - 1)
        shows(page, frame)
    painted(page)


def set_loop(page, first: int, last: int) -> None:
    """Loop from one frame to another with keys and stand on the first."""
    for key, frame in (("[", first), ("]", last), (None, first)):
        page.evaluate(SCRUB, frame)
        shows(page, frame)
        page.focus(".viewer")
        if key:
            page.keyboard.press(key)
    painted(page)


def test_a_loop_shows_only_its_frames(page):
    page.focus(".edge.from")
    for _ in range(4):
        page.keyboard.press("PageUp")
    page.focus(".edge.to")
    page.keyboard.press("Home")
    for _ in range(6):
        page.keyboard.press("PageUp")
    page.focus(".viewer")
    page.keyboard.press("Home")
    shows(page, 20)
    painted(page)
    page.keyboard.press(" ")
    page.wait_for_function(  # a busy machine drops frames, also the last of a round: another round will show it
        "window.seen.filter(([n], i) => i && n < window.seen[i - 1][0]).length >= 3"
        " && [20, 50].every((end) => window.seen.some(([n]) => n === end))",
        timeout=60_000,
    )
    page.keyboard.press(" ")
    frames = painted(page)
    assert min(frames) == 20 and max(frames) == 50


# A page that is held up hears nothing of its video, which plays on, past the end of the loop; then the pause comes at once.
HELD_UP = """(pauses) => {
    const until = performance.now() + 1200;
    while (performance.now() < until);
    if (pauses) document.querySelector('[data-do=play]').click();
}"""


def test_a_pause_that_comes_late_leads_back_to_the_end_of_the_loop(page):
    set_loop(page, 20, 50)
    page.keyboard.press(" ")
    page.wait_for_function("window.seen.length > 3")
    page.evaluate(HELD_UP, True)
    shows(page, 50)
    assert max(painted(page)) == 50
    page.evaluate(SCRUB, 100)  # which lies behind the loop and is wished for
    shows(page, 100)


def test_a_clip_that_ends_while_the_page_is_held_up_goes_round_its_loop(page):
    set_loop(page, 270, 298)
    page.keyboard.press(" ")
    page.wait_for_function("window.seen.length > 3")
    page.evaluate(HELD_UP, False)
    page.wait_for_function("window.seen.some(([n], i) => i && n < window.seen[i - 1][0])")
    assert max(painted(page)) <= 298
