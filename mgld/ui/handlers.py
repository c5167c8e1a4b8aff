"""What the page's events call: values of the form in, what is shown out."""

from __future__ import annotations

import html
import inspect
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import cv2
import gradio as gr
import numpy as np

from mgld.comparison import estimate, request, takeaway
from mgld.comparison.asked import EXAMPLES, FIELDS, LINKED, TYPES, Asked, read_link
from mgld.comparison.layers import TRUTH
from mgld.comparison.produce import Machine
from mgld.comparison.report import Line, Outcome, line_of, outcome_of
from mgld.comparison.sweep import strengths_of
from mgld.errors import UserError
from mgld.methods import OURS, segment_count
from mgld.presets import folder_of
from mgld.settings import SCALE
from mgld.ui import crop, running, words
from mgld.ui.element import PAGE, joined
from mgld.ui.progress import bar

LINE_SCRIPT = "() => [document.querySelector('#stage .viewer')?.dataset.line ?? '']"
drawn_text = crop.drawn_text


def of_form(work: Callable[..., Iterator], *before: str) -> Callable:
    """Return work(asked, visitor, *before) as Gradio calls it: with texts named `before`, then the form's values by FIELDS.

    Names, types and text of the API page come from the fields and from work's docstring.
    """
    types = dict.fromkeys(before, str) | {name: TYPES[name] for name in FIELDS} | {"visitor": gr.Request}
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature([inspect.Parameter(name, kind, annotation=t) for name, t in types.items()])

    def handle(*values):
        named = signature.bind(*values).arguments
        visitor, texts = named.pop("visitor"), [named.pop(name) for name in before]
        yield from work(Asked.of(named), visitor, *texts)

    handle.__signature__, handle.__annotations__, handle.__doc__ = signature, types, work.__doc__
    return handle


def comparing(machine: Machine) -> Callable:
    """Bind the machine; the docstring is what the API page shows."""

    def compare(asked: Asked, visitor: gr.Request) -> Iterator[running.Shown]:
        """Upscale a part of a clip four times with each method and compare the results.

        The last answer holds the progress line, the preview, the comparison, its figures and the files.
        """
        yield from running.compare(machine, _checked(asked), visitor.session_hash)

    return of_form(compare)


def ablating(machine: Machine) -> Callable:
    """Bind the machine: the four combinations of the paper's two parts, whatever methods are ticked."""

    def ablate(asked: Asked, visitor: gr.Request) -> Iterator[running.Shown]:
        four = _checked(replace(asked, methods=list(OURS)))
        yield from running.compare(machine, four, visitor.session_hash)

    return of_form(ablate)


def sweeping(machine: Machine) -> Callable:
    """Bind the machine: MGLD at several strengths."""

    def sweep(asked: Asked, visitor: gr.Request, strengths: str) -> Iterator[running.Swept]:
        with running.in_gradios_words():
            chosen = strengths_of(strengths)
        one = _checked(replace(asked, methods=["mgld"]))
        yield from running.run_sweep(machine, one, chosen, visitor.session_hash)

    return of_form(sweep, "strengths")


def cancelled(visitor: gr.Request) -> Iterator[running.Shown]:
    """Show what the stopped job had finished."""
    yield from running.keep_what_is_finished(visitor.session_hash)


def planning(machine: Machine) -> Callable:
    """Return the handler that says, before Run, what will be done, how long it takes and what it needs."""

    def plan(asked: Asked, visitor: gr.Request) -> Iterator[str]:
        yield _plan_or_refusal(machine.device, asked)

    return of_form(plan)


def measured_yet(machine: Machine, measured: threading.Event) -> Callable:
    """Return the handler that tells the plan again until this machine's speed is known."""

    def tell(asked: Asked, visitor: gr.Request) -> Iterator[tuple[str, gr.Timer]]:
        known = measured.is_set()
        yield _plan_or_refusal(machine.device, asked), gr.Timer(active=not known)

    return of_form(tell)


def _plan_or_refusal(device: str, asked: Asked) -> str:
    if asked.clip is None:
        return words.PLAN_NONE
    try:
        return plan_text(device, request.checked(asked))
    except UserError as error:
        return html.escape(str(error))


def plan_text(device: str, asked: request.Request) -> str:
    """Say what a request comes to; raise UserError if its model or its part of the clip cannot be used."""
    folder_of(asked.model)
    ahead = request.extent_of(asked)
    runs, size_hw = list(asked.runs.values()), (ahead.height, ahead.width)
    part = request.part_of(asked, ahead.frames)
    needed = estimate.predict(device, part, runs, size_hw, ahead.frames, asked.layers, running.STORE)
    estimated = words.PLAN_UNKNOWN
    if needed.seconds:
        memory = "" if needed.memory_bytes is None else words.PLAN_MEMORY.format(gigabytes=needed.memory_bytes / 1e9)
        estimated = words.PLAN_ESTIMATE.format(seconds=max(needed.seconds, 1), memory=memory)
    count = segment_count(runs[-1], ahead.frames)
    return words.PLAN.format(
        frames=_counted(words.PLAN_FRAMES, ahead.frames),
        duration=ahead.frames / ahead.fps,
        width=ahead.width,
        height=ahead.height,
        out_width=ahead.width * SCALE,
        out_height=ahead.height * SCALE,
        segments=_counted(words.PLAN_SEGMENTS, count),
        estimate=estimated,
    )


def _counted(forms: tuple[str, str], count: int) -> str:
    return forms[0] if count == 1 else forms[1].format(count)


def framed(clip: str | None, start_s: float, text: str) -> crop.CropPicture | None:
    """Return the frame at the start time with the chosen part on it; None without a clip that can be read."""
    from mgld.video import read_frames

    try:
        asked = request.checked(Asked(clip=clip, start_s=start_s or 0, frames=1, crop=text))
        known, frame = request.looked_at(asked.clip), next(read_frames(asked.clip, asked.start_s, 1)).rgb_u8
        left, top, right, bottom = request.worked_box(asked, *frame.shape[:2])
    except UserError:
        return None
    caption = words.CROP_CAPTION.format(
        width=right - left, height=bottom - top, full_width=frame.shape[1], full_height=frame.shape[0],
        seconds=known.duration_s or 0, fps=round(known.fps, 2), notes="".join(f" · {n}" for n in known.notes),
    )  # fmt: skip
    return crop.frame_of(frame, asked.crop, caption)


def lab(asked: Asked, visitor: gr.Request) -> Iterator[gr.Image]:
    """Degrade the chosen part and show the middle frame beside the clean one."""
    degraded = _checked(replace(asked, degrade=True, truth=None, others=None))
    with running.in_gradios_words():
        material = request.read(degraded)
    middle = len(material.clip) // 2
    clean, low = material.given[TRUTH][middle], material.clip[middle].rgb_u8
    large = cv2.resize(low, clean.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    yield gr.Image(np.concatenate([clean, large], axis=1), visible=True)


def lossless(visitor: gr.Request) -> Iterator[gr.Files]:
    """Write the lossless videos of the session's last comparison."""
    with running.in_gradios_words(), running.job_folder() as folder:
        made = takeaway.write_lossless(folder, _outcome(visitor))
        yield gr.Files([str(p) for p in made], visible=True)


def report_at_line(text: str, visitor: gr.Request) -> Iterator[gr.Files]:
    """Write the report of the session's last comparison with the profile at the line that the stage shows."""
    with running.in_gradios_words(), running.job_folder() as folder:
        made = takeaway.write_report(folder, _outcome(visitor), line_of(text) or Line())
        yield gr.Files([str(p) for p in made], visible=True)


def _outcome(visitor: gr.Request) -> Outcome:
    job = running.SESSIONS.get(visitor.session_hash)
    if job is None or job.figures is None:
        raise gr.Error(words.NOTHING_YET, print_exception=False)
    return outcome_of(job)


def restored(visitor: gr.Request) -> Iterator[list]:
    """Return the settings that the page's address carries; bad ones are left at their defaults and named."""
    values, refused = read_link(dict(visitor.query_params))
    note = bar(words.LINK_REFUSED.format(names=", ".join(refused))) if refused else gr.skip()
    yield [*(values.get(name, gr.skip()) for name in LINKED), note]


def naming_script() -> str:
    """Return the script that names the example buttons, which hold nothing but a picture."""
    names = json.dumps([words.EXAMPLE.format(name=name) for name in EXAMPLES])
    buttons = "document.querySelectorAll('#controls .gallery-item')"
    return f"() => {names}.forEach((name, i) => {buttons}[i]?.setAttribute('aria-label', name))"


def link_script(controls: dict) -> str:
    """Return the script that makes the link, with what the page's controls are called and stand at."""
    defaults = {name: controls[name].value for name in LINKED if name != "clip"}
    defaults["methods"] = ",".join(defaults["methods"])
    known = json.dumps({"names": LINKED, "defaults": defaults, "examples": list(EXAMPLES)})
    return f"(...values) => {{ {joined(PAGE / 'link.js')} return copyLink(values, {known}); }}"


def _checked(asked: Asked) -> request.Request:
    """Return the checked request; raise what Gradio shows if it cannot be worked on."""
    with running.in_gradios_words():
        return request.checked(asked)
