"""The scripts are ES modules that a browser links and runs as they are, not only after they have been joined."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mgld.ui import words
from mgld.ui.element import PAGE

pytestmark = pytest.mark.browser
HOST = """(told) => { globalThis.mgld = {
    element: document.body, props: { value: null }, watch: () => {}, trigger: () => {}, WORDS: told }; }"""


@pytest.mark.parametrize("name", ["compare/life.js", "crop.js", "link.js", "opening.js", "study.js"])
def test_a_browser_runs_the_module(visit, name):
    page = visit("about:blank")

    def answer(route):
        asked = route.request.url.removeprefix("http://page.test/")
        if asked:
            route.fulfill(path=PAGE / asked, content_type="text/javascript")
        else:
            template = Path(name).parts[0].removesuffix(".js") + ".html"
            page_html = (PAGE / template).read_text(encoding="utf-8") if (PAGE / template).exists() else ""
            route.fulfill(body=page_html, content_type="text/html; charset=utf-8")

    page.route("http://page.test/**", answer)
    page.goto("http://page.test/")
    page.evaluate(HOST, json.loads(json.dumps(words.STAGE_TOLD)))
    page.evaluate(
        "name => import(name).then(() => null)", f"/{name}"
    )  # an export that is missing or used too early throws
    if name.startswith("compare"):
        assert page.inner_text(".empty") == words.STAGE_TOLD["empty"]
