"""The guidance scope: for the last run, what motion guidance saw and did, segment by segment."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import gradio as gr
import numpy as np

from mgld import plots
from mgld.comparison.job import ComparisonJob
from mgld.ui import running, words
from mgld.ui.first_sight import finished_example


def guided_layer(job: ComparisonJob | None) -> str | None:
    """Return the last layer of a job that was sampled under guidance."""
    found = [name for name, events in (job.guided if job else {}).items() if any(len(e.flow_px) for e in events)]
    return found[-1] if found else None


def choices(job: ComparisonJob | None) -> list[tuple[str, str]]:
    """Return every pair of neighbouring frames that guidance pulled together, as (label, "segment/pair")."""
    layer = guided_layer(job)
    return [
        (words.SCOPE_PAIR.format(segment=s + 1, first=e.first_frame + p + 1, second=e.first_frame + p + 2), f"{s}/{p}")
        for s, e in enumerate(job.guided[layer] if layer else [])
        for p in range(len(e.flow_px))
    ]


def figure(job: ComparisonJob, choice: str) -> tuple[np.ndarray, str]:
    """Return (figure u8 [H,W,3], its summary in words) of one pair."""
    segment, pair = (int(n) for n in choice.split("/"))
    event = job.guided[guided_layer(job)][segment]
    frame_u8 = job.material.clip[min(event.first_frame + pair, len(job.material.clip) - 1)].rgb_u8
    png = plots.guidance_scope(event, pair, frame_u8)
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    return picture, summary(event, pair)


def summary(event, pair: int) -> str:
    """Say in words what the figure shows."""
    removed = 1 - event.after[-1] / max(event.before[-1], 1e-9) if event.before else 0.0
    return words.SCOPE_SUMMARY.format(
        speed=float(np.hypot(*event.flow_px[pair]).mean()),
        hidden=float(event.hidden[pair].mean()),
        first=event.before[0] if event.before else 0.0,
        last=event.after[-1] if event.after else 0.0,
        removed=removed,
    )


def build(private: dict) -> tuple[list, Callable]:
    """Make the tab's contents; return its parts and the handler that fills them after a run."""
    gr.Markdown(words.SCOPE_INTRO, elem_classes="quiet")
    example = finished_example()
    choice = example.scope_choice
    pair = gr.Dropdown([choice], value=choice, label=words.SCOPE_CHOICE, elem_id="scope-pair", interactive=True)
    picture = gr.Image(
        example.scope_picture, label=words.SCOPE_FIGURE, show_label=False, interactive=False, format="png", elem_id="scope",
        buttons=["download", "fullscreen"],
    )  # fmt: skip
    summary_text = gr.Markdown(example.scope_summary or words.SCOPE_EMPTY, elem_id="scope-summary")

    def show(choice: str | None, request: gr.Request) -> tuple:
        job = running.SESSIONS.get(request.session_hash)
        if job is None:
            return example.scope_picture, example.scope_summary
        if choice not in {value for _, value in choices(job)}:
            return None, words.SCOPE_EMPTY
        return figure(job, choice)

    def refresh(request: gr.Request) -> Iterator[tuple]:
        if running.SESSIONS.get(request.session_hash) is None:  # the example's stays
            yield gr.skip(), gr.skip(), gr.skip()
            return
        found = choices(running.SESSIONS.get(request.session_hash))
        first = found[0][1] if found else None
        yield gr.Dropdown(found, value=first), *show(first, request)

    pair.input(show, pair, [picture, summary_text], **private)
    return [pair, picture, summary_text], refresh
