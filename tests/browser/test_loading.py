"""How the stage comes to its first picture, and from one comparison to the next."""

from __future__ import annotations

import gradio as gr
import numpy as np
import pytest

from mgld.comparison.grid import stack_layers
from mgld.ui import words
from mgld.ui.compare import CompareStage, shown
from tests.browser.coded import coded, frame_is, level
from tests.browser.conftest import served, stage_served

pytestmark = pytest.mark.browser


def test_a_growing_comparison_keeps_how_it_is_looked_at(visit, tmp_path_factory):
    folder = tmp_path_factory.mktemp("growing")

    def grown(frames: int):
        path, layers = folder / f"{frames}.mp4", {name: clip[:frames] for name, clip in coded().items()}
        return shown(path, stack_layers(path, layers, 10))

    with gr.Blocks(analytics_enabled=False) as blocks:
        stage, more = CompareStage(grown(8), elem_id="stage"), gr.Button("More", elem_id="more")
        more.click(lambda: grown(20), None, stage)
    with served(blocks) as address:
        keeps_how_it_is_looked_at(visit(address))


def keeps_how_it_is_looked_at(page) -> None:
    frame_is(page, 0)
    page.focus(".viewer")
    for key in ("1", "d", "+", "p", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    frame_is(page, 2)
    page.select_option(".k", "8")
    page.select_option(".strip-frames", "6", force=True)
    page.click("[data-do=play]")
    page.wait_for_function("!document.querySelector('video.main').paused")
    page.click("#more")
    page.wait_for_function("document.querySelector('.count').textContent.endsWith('/ 20')")
    page.wait_for_function("document.querySelector('video.main').paused")
    assert page.get_attribute("[data-do=play]", "aria-pressed") == "false"
    assert page.get_attribute("canvas.stage", "data-view") == "diff" and page.inner_text(".zoom") == "1.5×"
    assert (
        page.input_value(".k") == "8" and page.input_value(".strip-frames") == "4"
    )  # the gain stays, the strip begins anew
    assert page.input_value("select.b") == "0" and "x =" in page.get_attribute(".line-handle", "aria-valuetext")


def test_one_layer_alone_is_shown_whole_and_nothing_is_compared(visit, tmp_path):
    path = tmp_path / "alone.mp4"
    stage = stack_layers(path, {"bicubic": np.full((3, 96, 128, 3), 130, np.uint8)}, 10)
    with stage_served(shown(path, stage)) as url:
        page = visit(url)
        frame_is(page, 0)
        assert page.inner_text(".claim") == words.STAGE_TOLD["claimAlone"].format(layer="Input (bicubic)")
        assert not page.is_visible(".divider") and not page.is_visible("select.a")
        assert abs(level(page, 0.5) - 130) <= 3  # no line between two sides


HIDE = """addEventListener('DOMContentLoaded', () => {
    document.head.insertAdjacentHTML('beforeend', '<style id=hide>#stage { display: none }</style>');
});"""


def test_a_stage_that_was_hidden_while_it_loaded_paints_when_it_is_seen(visit, address):
    page = visit(address, first=HIDE)
    page.wait_for_function("document.querySelector('video.main')?.readyState >= 2")
    assert page.get_attribute("canvas.stage", "data-frame") is None
    page.evaluate("document.getElementById('hide').remove()")
    frame_is(page, 0)
    assert page.locator("canvas.stage").bounding_box()["height"] > 100


REFUSE_ONE = """const Real = window.VideoFrame; let refused = 0;
    window.VideoFrame = function (video) {
      if (refused++ < 1) throw new DOMException('Invalid source state', 'InvalidStateError');
      return new Real(video);
    };"""


def test_a_picture_that_is_not_there_yet_is_taken_when_it_is(visit, address):
    """While a clip is replaced Chromium refuses to hand out a picture, whatever the video's state says."""
    page = visit(address, first=REFUSE_ONE)  # where no error may go unseen
    page.wait_for_function("document.querySelector('canvas.stage')?.dataset.frame === '0'", timeout=15_000)


def test_a_broken_connection_is_tried_again(visit, address):
    page, times = visit("about:blank"), []

    def answer(route):
        times.append(route.request.url)
        route.abort() if len(times) == 1 else route.continue_()

    page.route("**/stage.mp4", answer)
    page.goto(address)
    page.wait_for_function("document.querySelector('canvas.stage')?.dataset.frame === '0'")
    assert len(times) > 1


BREAK_READER = """{
    const load = HTMLMediaElement.prototype.load;
    HTMLMediaElement.prototype.load = function () {
        if (!this.isConnected && !window.broke) {
            window.broke = 'soon';
            this.addEventListener('error', () => setTimeout(() => { window.broke = 'now'; }));
            this.src = 'data:video/mp4,';
        }
        load.call(this);
    };
}"""


def test_a_profile_whose_frames_could_not_be_read_is_tried_again_with_the_next_line(visit, address):
    page = visit(address, first=BREAK_READER)
    page.wait_for_function("window.broke === 'now'", timeout=20_000)
    page.click("[data-do=turn]")
    page.wait_for_selector(".slices[data-ms]", timeout=20_000)
