"""What the status line and an API client are told when a comparison cannot be made."""

from __future__ import annotations

import re
from types import SimpleNamespace

import gradio as gr
import pytest

from mgld.comparison.asked import FIELDS, Asked
from mgld.ui import handlers, running
from tests.ui.jobs import KNOBS


def refused(machine, **values) -> tuple[str, str]:
    """Return what the status line and an API client are told."""
    lines = []
    with pytest.raises(gr.Error) as raised:
        visitor = SimpleNamespace(session_hash="me")
        for line, *_ in handlers.comparing(machine)(
            *((vars(Asked()) | vars(KNOBS) | values)[n] for n in FIELDS), visitor
        ):
            lines.append(line)
    return lines[-1], raised.value.message


def test_a_problem_stays_in_the_status_line_and_names_the_visitors_file_not_its_place(machine, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    for told in refused(machine, clip=str(broken)):
        assert "“broken.mp4” is a text file" in told and str(tmp_path) not in told
    assert "Choose a clip first" in refused(machine, clip=None)[0]


def test_a_program_is_told_in_plain_text_and_the_page_in_its_own(machine, tmp_path):
    (tmp_path / "it's <b>.mp4").write_bytes(b"no video")
    line, answer = refused(machine, clip=str(tmp_path / "it's <b>.mp4"))
    assert "“it's <b>.mp4” is a text file" in answer and "it&#x27;s &lt;b&gt;.mp4" in line and "<b>" not in line


def test_a_fault_of_ours_is_told_by_a_reference_and_nothing_else(machine, moving_clip, monkeypatch, caplog):
    monkeypatch.setattr(running, "begin", lambda *_: 1 / 0)
    line, answer = refused(machine, clip=str(moving_clip))
    reference = re.search(r"reference is (\w+)", line)[1]
    assert reference in answer and reference in caplog.text and "ZeroDivisionError" in caplog.text
    assert "Zero" not in line + answer and "division" not in line + answer
