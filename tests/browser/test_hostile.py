"""What a hostile or hasty visitor does in a real browser: names that are scripts, settings that change while a run goes on."""

from __future__ import annotations

import numpy as np
import pytest

from mgld.ui import running
from tests import media
from tests.browser.test_page import finish, upload

pytestmark = pytest.mark.browser
NAMES = [
    "<img src=x onerror=window.pwned=1>${window.pwned=1}{{window.pwned=1}}.mp4",
    "a'\"`;window.pwned=1.mp4",
]


def test_names_are_text(opened, tmp_path):
    """In the sentence that refuses a file, and as a clip that is run."""
    clip = media.make_video(tmp_path / "clip.mp4", media.coded_frames(2, 32, 32), fps=10).read_bytes()
    page = opened()
    page.locator("#knob-steps input[type=number]").fill("1")
    for name in NAMES:
        chosen(page, name, bytes(range(256)) * 8)
        page.wait_for_selector("#plan :text('is not a video')")
        refused = filled(page, "#run")
        page.click("#run")
        page.wait_for_selector("#progress :text('is not a video')")
        chosen(page, name, clip)
        page.wait_for_selector("#plan :text('2 frames')")
        page.wait_for_selector("#run:not([disabled])")
        assert filled(page, "#run") != refused  # which does not invite
        page.click("#run")
        finish(page)
        page.get_by_role("tab", name="Take away").click()
        page.wait_for_selector("#files a")
    assert page.evaluate("window.pwned") is None


def filled(page, button: str) -> str:
    return page.locator(button).evaluate("button => getComputedStyle(button).backgroundColor")


def chosen(page, name: str, data: bytes) -> None:
    """Choose a file in place of the one before."""
    if page.locator("#clip button[aria-label=Clear]").count():
        page.click("#clip button[aria-label=Clear]")
    page.wait_for_selector("#clip input[type=file]", state="attached")
    page.set_input_files("#clip input[type=file]", {"name": name, "mimeType": "video/mp4", "buffer": data})


def test_a_run_uses_the_settings_of_its_click(opened, tmp_path, unhurried):
    wide = np.random.default_rng(7).integers(0, 256, (8, 20, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    frames = [np.ascontiguousarray(wide[:, 2 * i : 2 * i + 32]) for i in range(6)]
    page = opened()
    upload(page, media.make_video(tmp_path / "clip.mp4", frames, fps=10), frames=5, steps=3)
    page.click("#run")
    page.wait_for_selector("#progress :text('denoising')")
    page.locator("#knob-steps input[type=number]").fill("9")
    page.locator("#knob-guidance input[type=number]").fill("2")
    page.locator("#frames input[type=number]").fill("1")
    unhurried.event_s = 0
    finish(page, frames=5)
    with running.SESSIONS._lock:
        job = list(running.SESSIONS._jobs.values())[-1]
    assert (job.request.knobs.steps, job.request.frames) == (3, 5) and job.request.knobs.guidance != 2
