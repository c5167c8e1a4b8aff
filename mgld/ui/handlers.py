"""What the page's events call: values of the form in, what is shown out."""

from __future__ import annotations

import html
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import cv2
import gradio as gr
import numpy as np

from mgld import errors
from mgld.comparison import estimate, request, takeaway
from mgld.errors import UserError
from mgld.methods import COMPARED, OURS, segment_count
from mgld.presets import folder_of
from mgld.settings import SCALE, Settings
from mgld.ui import crop, form, job, link, sweep, words
from mgld.ui.element import PAGE, joined
from mgld.ui.progress import bar

LINKED = ("clip", "methods", "frames", "start_s", "crop", "model", *form.KNOBS)
FIELDS = ("clip", "methods", "frames", "start_s", "crop", "truth", "others", "degrade", "degrade_seed", "model")
LINE_SCRIPT = "() => [document.querySelector('#stage .viewer')?.dataset.line ?? '']"
drawn_text = crop.drawn_text


def comparing(machine: job.Machine) -> Callable:
    """Bind the machine; the signature and docstring are what the API page shows."""

    def compare(
        clip: str | None,
        methods: list[str],
        frames: int,
        start_s: float,
        crop: str,
        truth: str | None,
        others: list[str] | None,
        degrade: bool,
        degrade_seed: int,
        model: str,
        steps: int,
        guidance: float,
        flow: str,
        guidance_mode: str,
        sampler: str,
        segment: int,
        overlap: int,
        segments: str,
        seed: int,
        colour: str,
        decoder: str,
        cfw: float,
        visitor: gr.Request,
    ) -> Iterator[job.Shown]:
        """Upscale a part of a clip four times with each method and compare the results.

        The last answer holds the progress line, the preview, the comparison, its figures and the files.
        """
        values = locals()
        asked = asked_of([values[name] for name in (*FIELDS, *form.MAIN, *form.ADVANCED)])
        yield from job.compare(machine, asked, visitor.session_hash)

    return compare


def ablating(machine: job.Machine) -> Callable:
    """Bind the machine: the four combinations of the paper's two parts, whatever methods are ticked."""

    def ablate(*values, visitor: gr.Request = None) -> Iterator[job.Shown]:
        named = dict(zip(FIELDS, values, strict=False)) | {"methods": list(OURS)}
        asked = asked_of([*named.values(), *values[len(FIELDS) :]])
        yield from job.compare(machine, asked, visitor.session_hash)

    return _with_visitor(ablate)


def sweeping(machine: job.Machine) -> Callable:
    """Bind the machine: MGLD at several strengths."""

    def run(strengths: str, *values, visitor: gr.Request = None) -> Iterator[sweep.Swept]:
        with job.told():
            chosen = sweep.strengths_of(strengths)
        yield from sweep.sweep(machine, asked_of(values), chosen, visitor.session_hash)

    return _with_visitor(run)


def cancelled(visitor: gr.Request) -> Iterator[job.Shown]:
    """Show what the stopped job had finished."""
    yield from job.keep_what_is_finished(visitor.session_hash)


def planning(machine: job.Machine) -> Callable:
    """Return the handler that says, before Run, what will be done, how long it takes and what it needs."""

    def plan(*values) -> str:
        if values[0] is None:
            return words.PLAN_NONE
        try:
            return plan_text(machine.device, checked_of(values))
        except UserError as error:
            return html.escape(str(error))

    return plan


def measured_yet(machine: job.Machine, measured: threading.Event) -> Callable:
    """Return the handler that tells the plan again until this machine's speed is known."""
    plan = planning(machine)

    def tell(*values) -> tuple[str, gr.Timer]:
        known = measured.is_set()
        return plan(*values), gr.Timer(active=not known)

    return tell


def plan_text(device: str, asked: request.Request) -> str:
    """Say what a request comes to; raise UserError if its model or its part of the clip cannot be used."""
    folder_of(asked.model)
    ahead = request.plan(asked)
    runs = [replace(asked.knobs, method=m) for m in asked.methods]
    layers = 1 + len(runs) + len(asked.others) + (asked.truth is not None or asked.degrade_seed is not None)
    part = request.part_of(asked, ahead.frames)
    needed = estimate.predict(device, part, runs, (ahead.height, ahead.width), ahead.frames, layers, job.STORE)
    told = words.PLAN_UNKNOWN
    if needed.seconds:
        memory = "" if needed.memory_bytes is None else words.PLAN_MEMORY.format(gigabytes=needed.memory_bytes / 1e9)
        told = words.PLAN_ESTIMATE.format(seconds=max(needed.seconds, 1), memory=memory)
    count = segment_count(runs[-1], ahead.frames)
    return words.PLAN.format(
        frames=_counted(words.PLAN_FRAMES, ahead.frames),
        duration=ahead.frames / ahead.fps,
        width=ahead.width,
        height=ahead.height,
        out_width=ahead.width * SCALE,
        out_height=ahead.height * SCALE,
        segments=_counted(words.PLAN_SEGMENTS, count),
        estimate=told,
    )


def _counted(forms: tuple[str, str], count: int) -> str:
    return forms[0] if count == 1 else forms[1].format(count)


def framed(clip: str | None, start_s: float, text: str) -> crop.Frame | None:
    """Return the frame at the start time with the chosen part on it; None without a clip that can be read."""
    from mgld.video import read_frames

    try:
        asked = request.checked(clip, COMPARED, start_s or 0, 1, Settings(), crop=text)
        known, frame = request.looked_at(asked.clip), next(read_frames(asked.clip, asked.start_s, 1)).rgb_u8
        left, top, right, bottom = request.worked_box(asked, *frame.shape[:2])
    except UserError:
        return None
    told = words.CROP_TOLD.format(
        width=right - left, height=bottom - top, full_width=frame.shape[1], full_height=frame.shape[0],
        seconds=known.duration_s or 0, fps=round(known.fps, 2), notes="".join(f" · {n}" for n in known.notes),
    )  # fmt: skip
    return crop.frame_of(frame, asked.crop, told)


def lab(*values) -> Iterator[gr.Image]:
    """Degrade the chosen part and show the middle frame beside the clean one."""
    named = dict(zip(FIELDS, values, strict=False)) | {"degrade": True, "truth": None, "others": None}
    asked = asked_of([*named.values(), *values[len(FIELDS) :]])
    with job.told():
        material = request.read(asked)
    middle = len(material.clip) // 2
    clean, low = material.given[words.TRUTH_KEY][middle], material.clip[middle].rgb_u8
    large = cv2.resize(low, clean.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    yield gr.Image(np.concatenate([clean, large], axis=1), visible=True)


def lossless(visitor: gr.Request) -> Iterator[gr.Files]:
    """Write the lossless videos of the session's last comparison."""
    with job.told(), job.job_folder() as folder:
        made = takeaway.write_lossless(folder, _outcome(visitor))
        yield gr.Files([str(p) for p in made], visible=True)


def report_at_line(text: str, visitor: gr.Request) -> Iterator[gr.Files]:
    """Write the report of the session's last comparison with the profile at the line that the stage shows."""
    with job.told(), job.job_folder() as folder:
        made = takeaway.write_report(folder, _outcome(visitor), takeaway.line_of(text) or takeaway.Line())
        yield gr.Files([str(p) for p in made], visible=True)


def _outcome(visitor: gr.Request) -> takeaway.Outcome:
    work = job.SESSIONS.get(visitor.session_hash)
    if work is None or work.table is None:
        raise gr.Error(words.NOTHING_YET, print_exception=False)
    return takeaway.outcome_of(work, work.layers())


def restored(visitor: gr.Request) -> Iterator[list]:
    """Return the settings that the page's address carries; bad ones are left at their defaults and named."""
    values, refused = link.read(dict(visitor.query_params))
    note = bar(words.LINK_REFUSED.format(names=", ".join(refused))) if refused else gr.skip()
    yield [*(values.get(name, gr.skip()) for name in LINKED), note]


def naming_script() -> str:
    """Return the script that names the example buttons, which hold nothing but a picture."""
    names = json.dumps([words.EXAMPLE.format(name=name) for name in link.EXAMPLES])
    buttons = "document.querySelectorAll('#controls .gallery-item')"
    return f"() => {names}.forEach((name, i) => {buttons}[i]?.setAttribute('aria-label', name))"


def link_script(controls: dict) -> str:
    """Return the script that makes the link, with what the page's controls are called and stand at."""
    defaults = {name: controls[name].value for name in LINKED if name != "clip"}
    defaults["methods"] = ",".join(defaults["methods"])
    known = json.dumps({"names": LINKED, "defaults": defaults, "examples": list(link.EXAMPLES)})
    return f"(...values) => {{ {joined(PAGE / 'link.js')} return copyLink(values, {known}); }}"


def asked_of(values) -> request.Request:
    """Return the checked request of the form's values; raise what Gradio shows if it cannot be worked on."""
    with job.told():
        return checked_of(values)


def checked_of(values) -> request.Request:
    """Return the checked request of the form's values, in the form's order."""
    named = dict(zip((*FIELDS, *form.MAIN, *form.ADVANCED), values, strict=True))
    knobs = Settings(**{name: named.pop(name) for name in form.KNOBS})
    degrade, seed = named.pop("degrade"), named.pop("degrade_seed")
    if degrade and (seed is None or isinstance(seed, bool) or not 0 <= seed < 2**31 or seed != int(seed)):
        raise errors.bad_setting(words.LAB_SEED, seed, "a whole number from 0 to 2147483647")
    return request.checked(knobs=knobs, degrade_seed=int(seed) if degrade else None, **named)


def _with_visitor(handler: Callable) -> Callable:
    """Let Gradio, which looks for the annotation, hand the visitor in after a form's worth of values."""

    def handle(visitor: gr.Request, *values):
        yield from handler(*values, visitor=visitor)

    return handle
