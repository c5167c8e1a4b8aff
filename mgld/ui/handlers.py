"""What the page's events call: values of the form in, what is shown out."""

from __future__ import annotations

import html
import inspect
import json
import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import cv2
import gradio as gr
import numpy as np

from mgld.comparison import estimate, request
from mgld.comparison.asked import EXAMPLES, FIELDS, LINKED, TYPES, Asked, read_link
from mgld.comparison.layers import TRUTH
from mgld.comparison.produce import Machine
from mgld.comparison.report import Line, line_of
from mgld.comparison.sweep import strengths_of
from mgld.comparison.takeaway import Takeaway
from mgld.errors import UserError
from mgld.methods import OURS, segment_count
from mgld.presets import folder_of
from mgld.settings import DEFAULT_MODEL, SCALE
from mgld.ui import crop, running, source, words
from mgld.ui.element import PAGE, joined
from mgld.ui.files import TakenFiles, listed
from mgld.ui.first_sight import example_outcome, example_takeaway
from mgld.ui.progress import bar, refusal

LINE_SCRIPT = "(_, own) => [document.querySelector('#stage .viewer')?.dataset.line ?? '', own]"
drawn_text = crop.drawn_text


def of_form(work: Callable[..., Iterator], *before: str, beside_line: int | None = None) -> Callable:
    """Return work(asked, visitor, *before) as Gradio calls it: with texts named `before`, then the form's values by FIELDS.

    Names, types and text of the API page come from the fields and from work's docstring. Where beside_line says how many outputs
    follow the status line, which is the first, that line says what could not be done, and stays.
    """
    types = dict.fromkeys(before, str) | {name: TYPES[name] for name in FIELDS} | {"visitor": gr.Request}
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature([inspect.Parameter(name, kind, annotation=t) for name, t in types.items()])

    def handle(*values):
        named = signature.bind(*values).arguments
        visitor, texts = named.pop("visitor"), [named.pop(name) for name in before]
        asked = Asked.of(named)
        answers = work(asked, visitor, *texts)
        yield from answers if beside_line is None else _answered(answers, asked, beside_line)

    handle.__signature__, handle.__annotations__, handle.__doc__ = signature, types, work.__doc__
    return handle


def _answered(answers: Iterator, asked: Asked, beside_line: int) -> Iterator:
    """Pass answers on; say in the status line why there are no more, and tell API clients the same."""
    try:
        yield from answers
        return
    except gr.Error as error:  # the host's own words for the visitor: how much of its GPU is left, say
        yield (refusal(str(error.message)), *[gr.skip()] * beside_line)
        raise
    except UserError as error:
        text, cause = _with_names_alone(str(error), asked), error
    except Exception as error:  # nothing of it is shown, but a reference under which the log has it
        reference = secrets.token_hex(4)
        logging.getLogger("mgld").exception("reference %s", reference)
        text, cause = words.FAILED.format(reference=reference), error
    yield (refusal(text), *[gr.skip()] * beside_line)
    raise gr.Error(html.escape(text), visible=False, print_exception=False) from cause


def _with_names_alone(text: str, asked: Asked) -> str:
    return words.for_visitors(text, _files_of(asked))


def _files_of(asked: Asked) -> tuple[str | None, ...]:
    return asked.clip, asked.truth, *(asked.others or ())


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
        yield (
            _place_line(*place),
            gr.Timer(active=place[0] > 0),
            gr.Button(interactive=False),
            gr.Button(interactive=True),
        )

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


def ready_again(visitor: gr.Request) -> tuple[gr.Button, gr.Button]:
    """Let the visitor run again, and cancel nothing, once a run is over, however it ended."""
    running.QUEUE.leave(visitor.session_hash)
    return gr.Button(interactive=True), gr.Button(interactive=False)


def cancelled(visitor: gr.Request) -> Iterator[running.Shown]:
    """Show what the stopped job had finished."""
    running.QUEUE.leave(visitor.session_hash)
    yield from running.keep_what_is_finished(visitor.session_hash)


def planning(machine: Machine) -> Callable:
    """Return the handler that says, before Run, what will be done, how long it takes and what it needs."""

    def plan(asked: Asked, visitor: gr.Request) -> Iterator[str]:
        yield _plan_or_refusal(machine, asked)

    return of_form(plan)


def measured_yet(machine: Machine, measured: threading.Event) -> Callable:
    """Return the handler that tells the plan again until this machine's speed is known."""

    def tell(asked: Asked, visitor: gr.Request) -> Iterator[tuple[str, gr.Timer]]:
        known = measured.is_set()
        yield _plan_or_refusal(machine, asked), gr.Timer(active=not known)

    return of_form(tell)


def _plan_or_refusal(machine: Machine, asked: Asked) -> str:
    if asked.clip is None:
        return html.escape(words.PLAN_NONE)
    try:
        return html.escape(plan_text(machine, request.checked(asked, machine.models)))
    except UserError as error:
        return refusal(_with_names_alone(str(error), asked))


def plan_text(machine: Machine, wanted: request.Request) -> str:
    """Say what a request comes to; raise UserError if its model or its part of the clip cannot be used, or would not fit."""
    folder_of(wanted.model)
    ahead = request.extent_of(wanted)
    estimate.check_fits(machine.device, wanted, (ahead.height, ahead.width), ahead.frames)
    needed = estimate.needed(machine, wanted, ahead, running.STORE)
    estimated = words.PLAN_UNKNOWN
    if needed.seconds:
        memory = "" if needed.memory_bytes is None else words.PLAN_MEMORY.format(gigabytes=needed.memory_bytes / 1e9)
        span = running.predicted(needed.seconds)
        estimated = words.PLAN_ESTIMATE.format(range=span[0].upper() + span[1:], memory=memory)
    count = segment_count(wanted.runs[wanted.methods[-1]], ahead.frames)
    return words.PLAN.format(
        frames=words.counted(words.FRAMES, ahead.frames),
        duration=ahead.frames / ahead.fps,
        width=ahead.width,
        height=ahead.height,
        out_width=ahead.width * SCALE,
        out_height=ahead.height * SCALE,
        segments=words.counted(words.PLAN_SEGMENTS, count),
        estimate=estimated,
    )


def framed(clip: str | None, start_s: float, text: str) -> tuple[crop.CropPicture | None, str]:
    """Return the frame at the start time with the chosen part on it, and the clip's poster; neither without a readable clip."""
    from mgld.video import read_frames

    try:
        asked = request.checked(Asked(clip=clip, start_s=start_s or 0, frames=1, crop=text))
        known, frame = request.looked_at(asked.clip), next(read_frames(asked.clip, asked.start_s, 1)).rgb_u8
        left, top, right, bottom = request.worked_box(asked, *frame.shape[:2])
    except UserError:
        return None, source.no_poster() if clip is None else ""
    caption = words.CROP_CAPTION.format(
        width=right - left, height=bottom - top, full_width=frame.shape[1], full_height=frame.shape[0],
        seconds=known.duration_s or 0, fps=round(known.fps, 2), notes="".join(f" · {n}" for n in known.notes_if_made_whole),
    )  # fmt: skip
    told = words.POSTER_TOLD.format(
        width=frame.shape[1], height=frame.shape[0], seconds=known.duration_s or 0, fps=round(known.fps, 2)
    )
    return crop.frame_of(frame, asked.crop, caption), source.poster_of(frame, told)


def lab(asked: Asked, visitor: gr.Request) -> Iterator[gr.Image]:
    """Degrade the chosen part and show the middle frame beside the clean one."""
    degraded = _checked(replace(asked, degrade=True, truth=None, others=None, model=DEFAULT_MODEL))
    with running.in_gradios_words(_files_of(asked)):
        material = request.read(degraded)
    middle = len(material.clip) // 2
    clean, low = material.given[TRUTH][middle], material.clip[middle].rgb_u8
    large = cv2.resize(low, clean.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    yield gr.Image(np.concatenate([clean, large], axis=1), visible=True)


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
            taken = own_example = own_example or Takeaway(example)
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


def restored(visitor: gr.Request) -> Iterator[list]:
    """Return the settings that the page's address carries; bad ones are left at their defaults and named."""
    values, refused = read_link(dict(visitor.query_params))
    note = bar(words.LINK_REFUSED.format(names=", ".join(refused))) if refused else gr.skip()
    yield [*(values.get(name, gr.skip()) for name in LINKED), note]


def opening_script() -> str:
    """Return the script that names the buttons which hold nothing but a picture, and folds the table on a phone."""
    named = {
        "examples": [words.EXAMPLE.format(name=name) for name in EXAMPLES],
        "pictures": {"scope": words.SCOPE_FIGURE, "sweep": words.SWEEP_FIGURE, "lab": words.LAB_PICTURE},
    }
    return f"() => {{ {joined(PAGE / 'opening.js')} openPage({json.dumps(named, ensure_ascii=False)}); }}"


def link_script(controls: dict) -> str:
    """Return the script that makes the link, with what the page's controls are called and stand at."""
    defaults = {name: controls[name].value for name in LINKED if name != "clip"}
    defaults["methods"] = ",".join(defaults["methods"])
    known = json.dumps({"names": LINKED, "defaults": defaults, "examples": list(EXAMPLES)})
    return f"(...values) => {{ {joined(PAGE / 'link.js')} return copyLink(values, {known}); }}"


def _checked(asked: Asked) -> request.Request:
    """Return the checked request; raise what Gradio shows if it cannot be worked on."""
    with running.in_gradios_words(_files_of(asked)):
        return request.checked(asked)
