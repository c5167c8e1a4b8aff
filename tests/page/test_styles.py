"""Every rule of the style sheets has one home."""

from __future__ import annotations

import re
from collections import Counter

from mgld.ui.element import PAGE

RULE = re.compile(r"([^{};]+)\{([^{}]*)\}")


def declared(name: str) -> list[tuple[str, str]]:
    """Return (selector, property) of every declaration outside of media queries; a group counts for each of its selectors."""
    text = re.sub(r"/\*.*?\*/", "", (PAGE / name).read_text(encoding="utf-8"), flags=re.S)
    text = re.sub(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", text)
    found = []
    for selectors, body in RULE.findall(text):
        properties = [line.split(":")[0].strip() for line in body.split(";") if ":" in line]
        found += [(s.strip(), p) for s in re.split(r",(?![^(]*\))", selectors) for p in properties]
    return found


def test_no_style_is_declared_twice():
    page = [pair for name in ("page.css", "controls.css", "results.css") for pair in declared(name)]
    for sheet in (page, declared("compare.css"), declared("crop.css"), declared("files.css"), declared("report.css")):
        assert len(sheet) > 3
        assert [pair for pair, times in Counter(sheet).items() if times > 1] == []
