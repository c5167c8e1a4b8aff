"""An accessibility checker finds nothing serious, in both themes, on a desk and on a phone."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from mgld.ui import words

pytestmark = pytest.mark.browser
SERIOUS = ("serious", "critical")
# preload is for a rule that is off by default, and the page has no frames
RUN_AXE = """async (part) => (await axe.run(part || document, {
    resultTypes: ['violations'], preload: false, iframes: false,
})).violations"""
CALM_MS = 300
# what loads is pale, and gets its colours back slowly
CALM = """async ([part, calmMs]) => {
    let changed = performance.now();
    new MutationObserver(() => { changed = performance.now(); })
        .observe(document.querySelector(part), { subtree: true, childList: true, attributes: true, characterData: true });
    const moves = () => document.querySelector(`${part} .pending`)
        || document.getAnimations().some((a) => a.effect.getComputedTiming().endTime < Infinity && a.playState === 'running');
    while (moves() || performance.now() - changed < calmMs) await new Promise((done) => setTimeout(done, 20));
}"""


def serious(page, part: str | None = None) -> list[str]:
    """Return what a person with an impairment would stumble over, in the page or a part of it: rule, element and reason."""
    found = page.evaluate(RUN_AXE, part)
    return [
        f"{rule['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
        for rule in found
        if rule["impact"] in SERIOUS
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize(
    ("theme", "width"), [("light", 1440), ("dark", 390)]
)  # colours are the theme's, places the width's
def test_nothing_serious_at_first_sight_nor_under_any_tab_with_everything_unfolded(opened, theme, width):
    page = opened(
        width, 900, f"/?__theme={theme}", with_video=theme == "light"
    )  # without it the stage shows its picture
    page.evaluate(Axe().axe_script)
    assert serious(page) == []
    page.click("#advanced > button")
    for fold in page.locator("#stage summary").all():
        if not fold.evaluate("summary => summary.parentElement.open"):
            fold.click()
    # what lies under a phone's fixed bar rolls out of it
    page.add_style_tag(content="#actions { position: static !important; }")
    assert serious(page) == []
    for name in words.TABS.values():
        page.get_by_role("tab", name=name).click()
        if name == words.TABS["files"]:
            page.wait_for_selector("#files li", timeout=60_000)
        page.evaluate(CALM, ["#tabs", CALM_MS])
        assert serious(page, "#tabs") == [], name  # nothing else changes from tab to tab
    assert serious(page) == []


UNMARKED = """() => {
    const at = document.activeElement;
    const seen = (e) => e && (getComputedStyle(e).outlineStyle !== 'none' || getComputedStyle(e).boxShadow !== 'none');
    const marked = [at, at.firstElementChild, at.closest('label'), at.closest('.wrap')].some(seen);
    return at === document.body ? 'end' : marked ? '' : at.outerHTML.slice(0, 160);
}"""


def test_the_keyboard_stops_nowhere_without_a_mark_and_comes_to_run_soon(opened):
    page, stops, unmarked, run_at = opened(), 0, [], None
    for stops in range(150):
        page.keyboard.press("Tab")
        told = page.evaluate(UNMARKED)
        if page.evaluate("document.activeElement.id") == "run":
            run_at = stops
        if told == "end" and stops > 20:
            break
        unmarked += [told] if told not in ("", "end") else []
    assert unmarked == [] and stops > 40
    assert run_at is not None and run_at < 60


def test_frames_line_divider_and_tabs_are_moved_by_keys_alone(opened):
    page = opened(with_video=True)
    page.wait_for_function("document.querySelector('video.main').readyState >= 3", timeout=20_000)
    stage = page.locator("canvas.stage")
    page.focus(".divider")
    page.keyboard.press("ArrowRight")
    assert float(stage.get_attribute("data-wipe")) > 0.5
    page.focus(".line-handle")
    before = page.get_attribute(".line-handle", "aria-valuetext")
    page.keyboard.press("ArrowDown")
    assert page.get_attribute(".line-handle", "aria-valuetext") != before
    page.focus(".viewer")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('canvas.stage').dataset.frame === '2'")
    page.get_by_role("tab", name=words.TABS["compare"]).focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"[role=tab][aria-selected=true]:has-text('{words.TABS['scope']}')")
