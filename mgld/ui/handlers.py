"""What the events of a run call: values of the form in, what is shown out; and who waits for whom."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import gradio as gr

from mgld.comparison import estimate, request
from mgld.comparison.asked import EXAMPLES, Asked
from mgld.comparison.produce import Machine
from mgld.comparison.sweep import strengths_of
from mgld.errors import UserError
from mgld.methods import OURS
from mgld.ui import running, words
from mgld.ui.asking import of_form
from mgld.ui.element import PAGE, joined
from mgld.ui.progress import bar


def comparing(machine: Machine) -> Callable:
    """Bind the machine; the docstring is what the API page shows."""

    def compare(asked: Asked, visitor: gr.Request) -> Iterator[running.Shown]:
        """Upscale a part of a clip four times with each method and compare the results.

        The last answer holds the progress line, the preview, the comparison with its figures, and the files.
        """
        yield from running.compare(machine, request.checked(asked, machine.models), visitor.session_hash)

    return of_form(compare, beside_line=3)


def ablating(machine: Machine) -> Callable:
    """Bind the machine: the four combinations of the paper's two parts, whatever methods are ticked."""

    def ablate(asked: Asked, visitor: gr.Request) -> Iterator[running.Shown]:
        four = request.checked(replace(asked, methods=list(OURS)), machine.models)
        yield from running.compare(machine, four, visitor.session_hash)

    return of_form(ablate, beside_line=3)


def sweeping(machine: Machine) -> Callable:
    """Bind the machine: MGLD at several strengths."""

    def sweep(asked: Asked, visitor: gr.Request, strengths: str) -> Iterator[running.Swept]:
        one = request.checked(replace(asked, methods=["mgld"]), machine.models)
        chosen = strengths_of(strengths)
        yield from running.run_sweep(machine, one, chosen, visitor.session_hash)

    return of_form(sweep, "strengths", beside_line=4)


def queueing(machine: Machine) -> Callable:
    """Return the handler that tells a visitor whose run has to wait how many are ahead of it, and for how long."""

    def queue_up(asked: Asked, visitor: gr.Request) -> Iterator[tuple]:
        try:
            wanted = request.checked(asked, machine.models)
            ahead = request.extent_of(wanted)
            seconds = estimate.needed(machine, wanted, ahead, running.STORE).seconds
        except UserError:
            seconds = 0.0  # the run itself will say why it cannot be
        place = running.QUEUE.enter(visitor.session_hash, seconds)
        yield _place_line(*place), gr.Timer(active=place[0] > 0), *_buttons(can_run=False)

    return of_form(queue_up)


def still_waiting(visitor: gr.Request) -> tuple[object, gr.Timer]:
    """Tell the place in the line again, as long as the visitor waits."""
    count, start_s = running.QUEUE.place(visitor.session_hash)
    return _place_line(count, start_s), gr.Timer(active=count > 0)


def _place_line(count: int, start_s: float) -> object:
    if not count:
        return gr.skip()
    ahead = words.counted(words.AHEAD, count)
    if not start_s:
        return bar(words.WAITING_UNKNOWN.format(ahead=ahead))
    return bar(words.WAITING.format(ahead=ahead, range=running.predicted(start_s)))


def ready_again(visitor: gr.Request) -> list[gr.Button]:
    """Let the visitor run again, and cancel nothing, once a run is over, however it ended."""
    running.QUEUE.leave(visitor.session_hash)  # one that was refused never had the device, and still stands in the line
    return _buttons(can_run=True)


def _buttons(can_run: bool) -> list[gr.Button]:
    """Return the buttons as Parts.buttons has them: a visitor has one run at a time, for Cancel is that of one."""
    return [*[gr.Button(interactive=can_run)] * 3, gr.Button(interactive=not can_run)]


def cancelled(visitor: gr.Request) -> Iterator[running.Shown]:
    """Show what the stopped job had finished."""
    running.QUEUE.leave(visitor.session_hash)
    yield from running.keep_what_is_finished(visitor.session_hash)


def opening_script() -> str:
    """Return the script that names the buttons which hold nothing but a picture, and folds the table on a phone."""
    named = {
        "examples": [words.EXAMPLE.format(name=name) for name in EXAMPLES],
        "pictures": {"scope": words.SCOPE_FIGURE, "sweep": words.SWEEP_FIGURE, "lab": words.LAB_PICTURE},
    }
    return f"() => {{ {joined(PAGE / 'opening.js')} openPage({json.dumps(named, ensure_ascii=False)}); }}"
