"""What a visitor takes home: the files of a run or of the example, and what more can be written."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr

from mgld.comparison.report import Line, line_of
from mgld.comparison.takeaway import Takeaway
from mgld.ui import running, words
from mgld.ui.files import TakenFiles, listed
from mgld.ui.first_sight import example_outcome, example_takeaway

LINE_SCRIPT = "(_, own) => [document.querySelector('#stage .viewer')?.dataset.line ?? '', own]"


def example_files(visitor: gr.Request) -> Iterator[TakenFiles | None]:
    """Show the example's files, which are written when they are first asked for, to a visitor who has run nothing yet."""
    if running.SESSIONS.get(visitor.session_hash) is not None:
        yield gr.skip()
        return
    yield TakenFiles(files=[], everything=None, told=words.FILES_WRITING)
    taken = example_takeaway()
    yield None if taken is None else listed(taken)


def lossless(visitor: gr.Request) -> Iterator[TakenFiles]:
    """Add lossless videos to the files of the session's last comparison."""
    with running.in_gradios_words():
        taken = _taken(visitor)
        taken.add_lossless()
        yield listed(taken)


def report_at_line(
    text: str, own_example: Takeaway | None, visitor: gr.Request
) -> Iterator[tuple[TakenFiles, Takeaway | None]]:
    """Write the report of what is shown again, with the profile at the line that the stage shows.

    own_example is the example's take-away that this visitor alone has: the line is theirs.
    """
    with running.in_gradios_words():
        if running.SESSIONS.get(visitor.session_hash) is None and (example := example_outcome()) is not None:
            taken = own_example = own_example or Takeaway(example, like=example_takeaway())
        else:
            taken = _taken(visitor)
        taken.move_line(line_of(text) or Line())
        yield listed(taken), own_example


def what_more(visitor: gr.Request) -> tuple[gr.Button, gr.Button, gr.Markdown]:
    """Return what more can be written of the session's last job: a report at another line, lossless videos, or why not."""
    job = running.SESSIONS.get(visitor.session_hash)
    can = job is not None and job.taken is not None
    return gr.Button(interactive=can or job is None), gr.Button(interactive=can), gr.Markdown(visible=not can)


def _taken(visitor: gr.Request) -> Takeaway:
    job = running.SESSIONS.get(visitor.session_hash)
    if job is None or job.taken is None:
        raise gr.Error(words.NOTHING_YET, print_exception=False)
    return job.taken
