"""An accessibility checker finds nothing serious, in both themes, on a desk and on a phone."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from mgld.ui import words

pytestmark = pytest.mark.browser
SERIOUS = ("serious", "critical")


def serious(page) -> list[str]:
    """Return what a person with an impairment would stumble over: rule, element and reason."""
    found = Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
        for rule in found
        if rule["impact"] in SERIOUS
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_nothing_serious_at_first_sight_and_with_everything_unfolded(opened, theme, width):
    page = opened(width, 900, f"/?__theme={theme}")
    assert serious(page) == []
    page.click("#advanced > button")
    for fold in page.locator("#stage summary").all():
        if not fold.evaluate("summary => summary.parentElement.open"):
            fold.click()
    page.wait_for_timeout(500)  # folds open slowly
    # what lies under a phone's fixed bar rolls out of it
    page.add_style_tag(content="#actions { position: static !important; }")
    assert serious(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_serious_under_any_tab(opened, theme):
    page = opened(query=f"/?__theme={theme}")
    for name in words.TABS.values():
        page.get_by_role("tab", name=name).click()
        page.wait_for_timeout(500)
        page.wait_for_function("!document.querySelector('#tabs .pending')", timeout=60_000)  # what loads is pale
        page.wait_for_timeout(500)  # and gets its colours back slowly
        assert serious(page) == [], name
