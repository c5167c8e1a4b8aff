"""The stage's English lives in words.py alone, and all of it arrives on the page."""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from mgld.methods import METHODS
from mgld.settings import LABELS, Settings
from mgld.ui import words
from mgld.ui.compare import CompareStage
from mgld.ui.crop import CropBox
from mgld.ui.element import PAGE
from mgld.ui.files import FileList

SCRIPTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted((PAGE / "compare").glob("*.js"))}
SHOWN = r">([^<>]+)<|\b(?:aria-label|title|alt|placeholder)=\"([^\"]*)\""


def english(template: str) -> list[str]:
    """Return what a reader of the page would see or hear of a template itself, without its placeholders."""
    shown = ["".join(found) for found in re.findall(SHOWN, template)]
    return [text for text in shown if re.search("[A-Za-z]{2}", re.sub(r"\[\[\w+]]|&\w+;", "", text))]


def test_english_is_found_in_text_and_attributes():
    assert english('<b title="Play ([)">[[play]]</b> or <i aria-label="[[stop]]">x–t</i>') == ["Play ([)", " or "]


@pytest.mark.parametrize("path", sorted(PAGE.glob("*.html")), ids=lambda path: path.name)
def test_templates_have_no_words_of_their_own(path):
    assert english(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("component", [CompareStage, CropBox, FileList])
def test_no_placeholder_is_left_and_nothing_is_a_template_to_gradio(component):
    built = component(render=False)
    assert not re.search(r"\[\[|]]|\$\{|\{\{|`|\\", built.html_template)
    assert not re.search(r"\[\[\w+]]", built.js_on_load)


def test_every_word_of_the_stage_is_used():
    named = re.findall(r"\[\[(\w+)]]", (PAGE / "compare.html").read_text(encoding="utf-8"))
    assert set(named) == {*words.STAGE, "empty", "key_rows"}
    assert used(r"") == set(words.STAGE_TOLD)
    assert CompareStage(render=False).js_on_load.count("const WORDS = ") == 1


def used(before: str) -> set[str]:
    """Return the words that the scripts name after a text, WORDS.name or WORDS[`beginning_${…}`]."""
    script = "".join(SCRIPTS.values())
    beginnings = tuple(re.findall(before + r"\bWORDS\[`(\w+)\$\{", script)) or ("?",)
    return {*re.findall(before + r"\bWORDS\.(\w+)", script), *(n for n in words.STAGE_TOLD if n.startswith(beginnings))}


def test_every_gap_of_a_sentence_is_filled():
    calls = re.findall(r"fill\(WORDS\.(\w+), (\{.*?\})\)", "".join(SCRIPTS.values()))
    families = re.findall(r"fill\(WORDS\[`(\w+)\$\{.*?\}`\], (\{.*?\})\)", "".join(SCRIPTS.values()))
    calls += [(n, given) for start, given in families for n in words.STAGE_TOLD if n.startswith(start)]
    for name, given in calls:
        for gap in re.findall(r"\{(\w+)}", words.STAGE_TOLD[name]):
            assert re.search(rf"[{{,] {gap}(:|,| }})", given), f"{name} lacks {gap}"
    assert {name for name, _ in calls} >= {name for name, told in words.STAGE_TOLD.items() if "{" in told}


def test_keys_stand_out_and_words_are_escaped():
    built = CompareStage(render=False).html_template
    assert "<dt><kbd>1</kbd>–<kbd>6</kbd></dt><dd>layer B; with <kbd>Shift</kbd>, layer A</dd>" in built
    assert 'title="Speed (&lt; and &gt;)"' in built
    with pytest.raises(KeyError):
        words.placed("[[nothing]]", {})


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.2, 0.4, "about 1 s"), (7, 16, "about 7–15 s"), (42, 100, "about 1–2 min"), (1000, 2400, "about 15–40 min"),
        (90_000, 210_000, "about 25–60 h"), (30, 31, "about 30 s"),
    ],
)  # fmt: skip
def test_a_range_of_seconds_is_said_as_people_do(low, high, said):
    assert words.span(low, high) == said


@pytest.mark.parametrize(("value", "said"), [(0.3, "1 s"), (12.4, "12 s"), (150, "2 min"), (9000, "2.5 h")])
def test_seconds_are_said_as_people_do(value, said):
    assert words.seconds(value) == said


def test_one_frame_is_one_frame():
    assert words.counted(words.FRAMES, 1) == "1 frame" and words.counted(words.FRAMES, 2) == "2 frames"


def test_a_visitor_is_not_told_where_work_lies():
    written = Path(tempfile.gettempdir(), "mgld-takeaway-x", "comparison.mp4")
    assert words.for_visitors(f"{written} could not be written: gone.") == "comparison.mp4 could not be written: gone."


def test_a_name_cannot_turn_the_sentence_it_stands_in():
    told = words.for_visitors("/tmp/x/\u202egpj\x1b[2J.mp4 is empty.", ["/tmp/x/\u202egpj\x1b[2J.mp4"])
    assert told == "“gpj[2J.mp4” is empty."


def test_who_saw_averaged_frames_is_said_of_those_who_did():
    runs = {name: Settings(method=name) for name in METHODS}
    (said,) = words.filtered(runs)
    assert said.startswith("+ guided sampling, MGLD: frames were averaged along the motion")
    assert words.filtered({"guidance 0.3": Settings(guidance=0.3)})[0].startswith("guidance 0.3: ")
    assert words.filtered({name: replace(wanted, temporal_filter="none") for name, wanted in runs.items()}) == []
    names = {Settings.__dataclass_fields__["temporal_filter"].metadata["label"], LABELS["none"]}
    assert all(f"“{name}”" in said for name in names)  # the sentence names the control as the page does
