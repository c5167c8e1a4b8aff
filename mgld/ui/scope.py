"""The guidance scope: for the last run, what motion guidance saw and did, segment by segment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import cv2
import gradio as gr
import numpy as np

from mgld import plots
from mgld.comparison.job import ComparisonJob
from mgld.methods import holds_repeats
from mgld.sampling.repeats import places_of
from mgld.ui import running, words
from mgld.ui.first_sight import finished_example


def guided_layer(job: ComparisonJob | None) -> str | None:
    """Return the last layer of a job that was sampled under guidance."""
    found = [name for name, events in (job.guided if job else {}).items() if any(len(e.flow_px) for e in events)]
    return found[-1] if found else None


def choices(job: ComparisonJob | None) -> list[tuple[str, str]]:
    """Return every pair of neighbouring frames that guidance pulled together, as (label, "segment/pair")."""
    layer = guided_layer(job)
    if layer is None:
        return []
    places = _places(job, layer)
    return [
        (words.SCOPE_PAIR.format(segment=s + 1, first=first + 1, second=second + 1), f"{s}/{p}")
        for s, e in enumerate(job.guided[layer])
        for p, (first, second) in enumerate(pairwise(places[e.first_frame :][: len(e.flow_px) + 1]))
    ]


def _places(job: ComparisonJob, layer: str) -> Sequence[int]:
    """Return where in the clip each frame is that the engine made: it holds repeats, and numbers frames without them."""
    clip = job.material.clip
    return places_of(clip) if holds_repeats(job.runs[layer]) else range(len(clip))


def figure(job: ComparisonJob, choice: str) -> tuple[np.ndarray, str]:
    """Return (figure u8 [H,W,3], its summary in words) of one pair."""
    segment, pair = (int(n) for n in choice.split("/"))
    layer = guided_layer(job)
    event = job.guided[layer][segment]
    frame = _places(job, layer)[event.first_frame + pair]
    png = plots.guidance_scope(event, pair, frame, job.material.clip[frame].rgb_u8)
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
