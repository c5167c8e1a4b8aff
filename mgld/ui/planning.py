"""Before a run: what it comes to, the frame to draw on, the degradation lab, and links that restore settings."""

from __future__ import annotations

import html
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import cv2
import gradio as gr
import numpy as np

from mgld.comparison import estimate, request
from mgld.comparison.asked import EXAMPLES, LINKED, Asked, read_link
from mgld.comparison.layers import TRUTH
from mgld.comparison.produce import Machine
from mgld.constants import DEFAULT_MODEL, SCALE
from mgld.errors import UserError
from mgld.methods import segment_count
from mgld.presets import folder_of
from mgld.ui import crop, running, source, words
from mgld.ui.asking import files_of, of_form, with_names_alone
from mgld.ui.element import PAGE, joined
from mgld.ui.progress import bar, refusal


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
        return refusal(with_names_alone(str(error), asked))


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
    with running.in_gradios_words(files_of(asked)):
        material = request.read(degraded)
    middle = len(material.clip) // 2
    clean, low = material.given[TRUTH][middle], material.clip[middle].rgb_u8
    large = cv2.resize(low, clean.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    yield gr.Image(np.concatenate([clean, large], axis=1), visible=True)


def _checked(asked: Asked) -> request.Request:
    """Return the checked request; raise what Gradio shows if it cannot be worked on."""
    with running.in_gradios_words(files_of(asked)):
        return request.checked(asked)


def restored(visitor: gr.Request) -> Iterator[list]:
    """Return the settings that the page's address carries; bad ones are left at their defaults and named."""
    values, refused = read_link(dict(visitor.query_params))
    note = bar(words.LINK_REFUSED.format(names=", ".join(refused))) if refused else gr.skip()
    yield [*(values.get(name, gr.skip()) for name in LINKED), note]


def link_script(controls: dict) -> str:
    """Return the script that makes the link, with what the page's controls are called and stand at."""
    defaults = {name: controls[name].value for name in LINKED if name != "clip"}
    defaults["methods"] = ",".join(defaults["methods"])
    known = json.dumps({"names": LINKED, "defaults": defaults, "examples": list(EXAMPLES)})
    return f"(...values) => {{ {joined(PAGE / 'link.js')} return copyLink(values, {known}); }}"
