"""The tab of the blind comparison: two unlabelled sides, three answers, the running tally."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import gradio as gr
import numpy as np

from mgld.comparison import study
from mgld.comparison.layers import PREFERRED, TRUTH, label_of
from mgld.comparison.study import LEFT, RIGHT, TIE, Study
from mgld.host import ASSETS
from mgld.ui import running, words
from mgld.ui.first_sight import example_layers
from mgld.video import VideoWriter

KEYS = (ASSETS / "page" / "study.js").read_text(encoding="utf-8")
SHOWN_FPS = 12  # slow enough to judge a second of video in


def build(private: dict) -> list[gr.components.Component]:
    """Make the tab's contents and wire them."""
    gr.Markdown(words.STUDY_INTRO, elem_classes="quiet")
    state = gr.State(None)
    with gr.Row(elem_classes="asked"):
        start = gr.Button(words.STUDY_START, elem_id="study-start", scale=1)
        pair = gr.CheckboxGroup([], label=words.STUDY_PAIR, visible=False, elem_id="study-pair", scale=3)
    clip = gr.Video(
        label=words.STUDY_CLIP,
        show_label=False,
        interactive=False,
        autoplay=True,
        loop=True,
        elem_id="study-clip",
        buttons=[],
    )
    with gr.Row(elem_id="votes"):
        votes = [gr.Button(words.STUDY_VOTES[c], elem_id=f"vote-{c}", interactive=False) for c in (LEFT, TIE, RIGHT)]
    standing = gr.Markdown(study.NONE, elem_id="tally")
    export = gr.DownloadButton(
        words.STUDY_EXPORT, interactive=False, size="sm", elem_id="study-csv", elem_classes="lone"
    )
    gr.HTML(js_on_load=KEYS, elem_id="study-keys")
    outputs = [state, clip, standing, export, *votes]
    start.click(_begin, pair, outputs, **private)
    for choice, button in zip((LEFT, TIE, RIGHT), votes, strict=True):
        button.click(_voting(choice), state, outputs, **private)
    return pair


def offered(request: gr.Request) -> gr.CheckboxGroup:
    """Return the chooser of the two layers, for the session's last comparison."""
    layers = _layers(request.session_hash)
    names = [(label_of(n), n) for n in layers if n != TRUTH]
    return gr.CheckboxGroup(names, value=list(_pair(layers, None)), visible=len(names) > 2)


def _begin(chosen: list[str], request: gr.Request) -> Iterator[tuple]:
    layers = _layers(request.session_hash)
    if len(layers) < 2:
        raise gr.Error(words.STUDY_EMPTY, print_exception=False)
    yield from _shown(Study(_pair(layers, chosen), secrets.randbits(32)), layers)


def _voting(choice: str):
    def vote(state: Study | None, request: gr.Request) -> Iterator[tuple]:
        layers = _layers(request.session_hash)
        if state is None or not set(state.pair) <= set(layers):
            raise gr.Error(words.STUDY_EMPTY, print_exception=False)
        yield from _shown(state.voted(choice), layers)

    return vote


def _shown(state: Study, layers: dict[str, np.ndarray]) -> Iterator[tuple]:
    with running.job_folder() as folder:
        path = folder / "trial.mp4"
        with VideoWriter(path, SHOWN_FPS) as writer:
            for n, frame in enumerate(study.clip_of(state.trial, layers)):
                writer.write(frame, n / SHOWN_FPS)
        file = str(study.write_csv(folder / "votes.csv", state)) if state.votes else None
        ready = [gr.Button(interactive=True)] * 3
        yield state, str(path), study.tally(state), gr.DownloadButton(value=file, interactive=bool(file)), *ready


def _layers(session: str | None) -> dict[str, np.ndarray]:
    """Return the layers of the session's last comparison, or the shipped example's before there is one."""
    job = running.SESSIONS.get(session)
    return job.layers() if job is not None and job.layers() else example_layers()


def _pair(layers: dict[str, np.ndarray], chosen: list[str] | None) -> tuple[str, str]:
    """Return the two layers that are compared, the one whose share is standing last."""
    for wanted in (chosen or (), PREFERRED, list(layers)[-2:]):
        found = [n for n in layers if n in wanted]
        if len(found) == 2:
            return found[0], found[1]
    raise gr.Error(words.STUDY_TWO, print_exception=False)
