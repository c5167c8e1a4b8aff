"""The page: a clip, the main controls, run, cancel, result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import gradio as gr

from mgld import settings
from mgld.settings import Settings
from mgld.ui import job, words
from mgld.ui.progress import STYLE, bar

KNOBS = {f.name: f for f in fields(Settings)}


def build(model: str = "tiny", device: str = "auto", on_gpu=lambda function: function) -> gr.Blocks:
    """Return the page for one model; on_gpu wraps the device job (ZeroGPU)."""
    with gr.Blocks(title=words.TITLE, delete_cache=(600, 3600), analytics_enabled=False) as page:
        gr.Markdown(words.INTRO)
        with gr.Row():
            with gr.Column():
                clip = gr.Video(label=words.CLIP, sources=["upload"], include_audio=True, elem_id="clip")
                knobs = _controls()
                with gr.Row():
                    run = gr.Button(words.RUN, variant="primary", elem_id="run")
                    cancel = gr.Button(words.CANCEL, elem_id="cancel")
            with gr.Column():
                line = gr.HTML(bar(words.READY), elem_id="progress")
                preview = gr.Image(label=words.PREVIEW, interactive=False, format="webp", elem_id="preview")
                result = gr.Video(label=words.RESULT, interactive=False, buttons=["download"], elem_id="result")
        examples = sorted(str(p) for p in (settings.ASSETS / "clips").glob("*.mp4"))
        if examples:
            gr.Examples(examples, clip, label=words.EXAMPLES)
        work = run.click(
            on_gpu(_handler(model, device)),
            [clip, *knobs],
            [line, preview, result],
            api_name="upscale",
            concurrency_limit=1,
            concurrency_id="device",
            show_progress="hidden",
        )
        quiet = {"queue": False, "api_visibility": "private"}
        cancel.click(lambda: bar(words.CANCELLED), None, line, cancels=[work], **quiet)
    return page


def _handler(model: str, device: str):
    """Bind the model; the signature and docstring are what the API page shows."""

    def upscale(
        clip: str | None, method: str, frames: int, steps: int, guidance: float, flow: str, seed: int
    ) -> Iterator[job.Shown]:
        """Upscale the first frames of a clip four times; the last of the three answers is the video."""
        yield from job.upscale(model, device, clip, method, frames, steps, guidance, flow, seed)

    return upscale


def _controls() -> list[gr.components.Component]:
    """Make the visible knobs; ranges and words come from Settings."""
    method = gr.Radio(
        [(label, name) for name, label in settings.METHODS.items()],
        value=KNOBS["method"].default,
        label=KNOBS["method"].metadata["label"],
    )
    frames = gr.Slider(
        1, settings.PAGE_FRAMES, settings.PAGE_DEFAULT_FRAMES, step=1, label=words.FRAMES, info=words.FRAMES_HELP
    )
    steps = _slider("steps", 1, highest=50)
    guidance = _slider("guidance", 0.05, highest=4)
    flow = gr.Radio(list(settings.FLOWS), value=KNOBS["flow"].default, label=KNOBS["flow"].metadata["label"])
    seed = gr.Number(KNOBS["seed"].default, label=KNOBS["seed"].metadata["label"], precision=0)
    return [method, frames, steps, guidance, flow, seed]


def _slider(name: str, step: float, highest: float) -> gr.Slider:
    knob = KNOBS[name]
    low, high = knob.metadata["range"]
    words_of = {"label": knob.metadata["label"], "info": knob.metadata["help"]}
    return gr.Slider(low, min(high, highest), knob.default, step=step, **words_of)


def launch(page: gr.Blocks, port: int | None = None, share: bool = False, block: bool = True) -> None:
    """Serve the page with the settings that were tested (no open queue bypass, no stack traces, bounded uploads)."""
    page.queue(max_size=8, api_open=False, default_concurrency_limit=8)
    page.launch(
        server_port=port,
        share=share,
        max_file_size=settings.UPLOAD_BYTES,
        show_error=False,
        ssr_mode=False,
        run_history=False,
        footer_links=["api"],
        css=STYLE,
        prevent_thread_lock=not block,
        quiet=not block,
    )
