"""What a hostile visitor does in a real browser: a name that is a script, wherever it may be put."""

from __future__ import annotations

import pytest

from tests import media
from tests.browser.test_page import finish

pytestmark = pytest.mark.browser
# out of every kind of quotes, as an element, and in two kinds of templates
NAME = "a'\"`;window.pwned=1<img src=x onerror=window.pwned=1>${window.pwned=1}{{window.pwned=1}}.mp4"


def test_a_name_is_text(opened, tmp_path):
    """In the sentence that refuses a file, and as a clip that is run."""
    clip = media.make_video(tmp_path / "clip.mp4", media.coded_frames(2, 32, 32), fps=10).read_bytes()
    page = opened()
    page.locator("#knob-steps input[type=number]").fill("1")
    chosen(page, NAME, bytes(range(256)) * 8)
    page.wait_for_selector("#plan :text('is not a video')")
    refused = filled(page, "#run")
    page.click("#run")
    page.wait_for_selector("#progress :text('is not a video')")
    chosen(page, NAME, clip)
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
