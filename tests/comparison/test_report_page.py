"""The report as a page: what was done, in words and numbers; nothing to fetch, nothing from outside taken for markup."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from mgld.comparison.report import Line, report_pictures
from mgld.comparison.report_page import SETTINGS, STYLE, in_words, report_page, told
from mgld.settings import Settings
from tests.comparison.outcomes import outcome


def page_of(finished) -> str:
    return report_page(finished, report_pictures(finished, Line()))


class Cells(HTMLParser):
    """Rows of tables as lists of texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows, self._open = [], False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag == "tr":
            self.rows.append([])
        self._open = tag in ("td", "th", "b") and bool(self.rows)
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if self._open:
            self.rows[-1][-1] += data

    def handle_endtag(self, tag):
        self._open = False


def test_it_says_which_clip_when_and_by_which_model(tmp_path):
    page = page_of(outcome(tmp_path))
    assert "<h1>reef.mp4</h1>" in page and "26 November 2026, 09:05 UTC" in page
    done = (
        "4 frames of “reef.mp4”, from 0 s on, enlarged from 32×24 to 128×96 pixels by the model tiny on cpu, in 12 s."
    )
    assert done in page


def test_what_was_all_made_elsewhere_has_neither_model_nor_settings(tmp_path):
    page = page_of(replace(outcome(tmp_path), made={}))
    assert "enlarged from 32×24 to 128×96 pixels." in page and "by the model" not in page and SETTINGS not in page


def test_a_part_and_a_degraded_clip_are_said(tmp_path):
    sentences = told(outcome(tmp_path, crop=(0.1, 0.2, 0.5, 1.0), degrade_seed=7))
    assert "10% to 50% of its width, 20% to 100% of its height" in sentences[1] and "seed 7" in sentences[2]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (
            Settings(),
            "2 steps of DDPM, averaged, then guided along the motion that DIS measured, "
            f"with strength {Settings.guidance:g}, in segments of 5 frames that share 2, "
            "decoded together; seed 42.",
        ),
        (
            Settings(method="per_frame", steps=1),
            "1 step of DDPM, not guided, every frame on its own, decoded one by one; seed 42.",
        ),
        (
            Settings(method="per_frame+mds", segments="disjoint", guidance=0.0),
            "2 steps of DDPM, averaged along the motion that DIS measured, not guided, "
            "in segments of 5 frames, decoded one by one; seed 42.",
        ),
        (
            Settings(method="mgld", temporal_filter="none", steps=1, guidance=0.5),
            "1 step of DDPM, guided along the motion that DIS measured, with strength 0.5, "
            "in segments of 5 frames that share 2, decoded together; seed 42.",
        ),
    ],
)
def test_settings_are_said_in_words(wanted, words):
    assert in_words(wanted) == words


def test_the_table_of_settings_holds_what_a_run_read_and_dashes_for_the_rest(tmp_path):
    rows = {row[0]: row[1:] for row in Cells(page_of(outcome(tmp_path))).rows}
    assert (
        rows["Steps"] == ["2", "2"]
        and rows["Guidance strength"] == ["–", f"{Settings.guidance:g}"]
        and rows["Flow network"] == ["–", "DIS"]
    )
    finished = outcome(tmp_path)
    alone = replace(finished, made={"per_frame": finished.made["per_frame"]})
    assert "Flow network" not in {row[0] for row in Cells(page_of(alone)).rows}


def test_the_best_result_is_bold_and_the_input_never(tmp_path):
    page = page_of(outcome(tmp_path))
    assert re.search(r"<th scope='row'>MGLD</th><td><b>1\.0+</b></td>", page)
    assert page.count("<b>") == 2 + 2  # best figures, names of runs


def test_nothing_is_fetched_and_everything_is_inside(tmp_path):
    page = page_of(outcome(tmp_path))
    assert page.count("src='data:image/png;base64,") == 3
    assert not re.search(r"(src|href)=['\"]?(?!data:)|@import|url\(|<script|<link", page.replace("src='data:", "data:"))
    assert "<details><summary>" in page and "<details open" not in page


def test_names_from_outside_are_escaped(tmp_path):
    finished = outcome(tmp_path, "<img src=x onerror=alert(1)>&'.mp4")
    finished.layers["<script>"] = finished.layers["mgld"]
    finished.figures.rows["<script>"] = {"we": 1.0, "sharpness": 1.0}
    finished.figures.curves["<script>"] = finished.figures.curves["mgld"]
    finished.record["note"] = "</pre><script>alert(2)</script>"
    page = page_of(finished)
    assert (
        "<script" not in page
        and "<img src=x" not in page
        and "&lt;img src=x onerror=alert(1)&gt;&amp;&#x27;.mp4" in page
    )


def test_night_and_narrow_screens_have_their_rules():
    style = STYLE.read_text(encoding="utf-8")
    assert (
        "@media (prefers-color-scheme: dark)" in style
        and ".roll { overflow-x: auto; }" in style
        and "max-width: 100%" in style
    )
