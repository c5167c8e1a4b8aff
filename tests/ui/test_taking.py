"""What a visitor can take home beside the files that are ready."""

from __future__ import annotations

from types import SimpleNamespace

import gradio as gr
import pytest

from mgld.ui import running, taking, words
from tests.ui.jobs import asked


def test_lossless_videos_and_a_report_at_the_line_join_the_list(machine, moving_clip):
    list(running.compare(machine, asked(moving_clip, methods=["mgld"], frames=2), "me"))
    (more,) = taking.lossless(SimpleNamespace(session_hash="me"))
    ((again, _),) = taking.report_at_line("y 0.1", None, SimpleNamespace(session_hash="me"))
    names = [file.name for file in again.files]
    assert [file.name for file in more.files][-1] == names[-1] == "MGLD alone, without loss (FFV1)"
    assert "Temporal profile at column 9" in names and len(names) == len(more.files)
    assert more_offered("me") == [True, True, False] and more_offered("somebody else") == [True, False, True]
    with pytest.raises(gr.Error, match=words.NOTHING_YET):
        next(taking.lossless(SimpleNamespace(session_hash="somebody else")))


def more_offered(session: str) -> list[bool]:
    """Return whether the report and lossless videos can be asked for, and whether it is told why not."""
    report, lossless, told = taking.what_more(SimpleNamespace(session_hash=session))
    return [report.interactive, lossless.interactive, told.visible]
