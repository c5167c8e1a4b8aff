"""The page: a clip and the main controls on the left, the comparison on the right."""

from __future__ import annotations

import html
import threading
from collections.abc import Iterator
from dataclasses import fields, replace

import gradio as gr

from mgld import settings
from mgld.errors import UserError
from mgld.settings import PAGE_PRESETS, Settings
from mgld.ui import cost, job, words
from mgld.ui.compare import CompareStage
from mgld.ui.first_sight import finished_example
from mgld.ui.progress import bar

STYLE = (settings.ASSETS / "page" / "page.css").read_text()
KNOBS = {f.name: f for f in fields(Settings)}
MAIN = ("steps", "guidance", "flow")
ADVANCED = tuple(name for name in KNOBS if name not in (*MAIN, "method"))
HIGHEST = {"steps": 50, "guidance": 4, "segment": 16, "overlap": 8}  # of sliders; the API and the command line go further
STEP = {"guidance": 0.05, "cfw": 0.05}


def build(model: str = "tiny", device: str = "auto", on_gpu=lambda function: function) -> gr.Blocks:
    """Return the page for one model; on_gpu wraps the device job (ZeroGPU)."""
    with gr.Blocks(title=words.TITLE, delete_cache=(600, 3600), analytics_enabled=False, fill_width=True) as page:
        gr.Markdown(words.INTRO, elem_id="intro")
        with gr.Row(elem_id="studio"):
            with gr.Column(scale=3, min_width=300, elem_id="controls"):
                clip = _clip()
                with gr.Row(elem_id="actions"):
                    run = gr.Button(words.RUN, variant="primary", elem_id="run")
                    cancel = gr.Button(words.CANCEL, elem_id="cancel")
                plan = gr.Markdown(words.PLAN_NONE, elem_id="plan")
                inputs = [clip, *_controls()]
            with gr.Column(scale=9, min_width=320, elem_id="results"):
                line = gr.HTML(bar(words.READY), elem_id="progress")
                preview = gr.Image(label=words.PREVIEW, interactive=False, format="webp", height=280, elem_id="preview")
                example = finished_example()
                stage = CompareStage(example.value, elem_id="stage")
                table = gr.Markdown(example.table, elem_id="figures")
                files = gr.Files(label=words.FILES, interactive=False, elem_id="files", height=110)
        outputs = [line, preview, stage, table, files]
        work = run.click(
            on_gpu(_handler(model, device)),
            inputs,
            outputs,
            api_name="compare",
            concurrency_limit=1,
            concurrency_id="device",
            show_progress="hidden",
        )
        private = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
        stopped = cancel.click(_cancelled, None, [line, preview], cancels=[work], **private)
        stopped.then(_cancelled, None, [line, preview], **private)  # the step that was under way may still have reported
        for knob in inputs:
            knob.change(_planner(model, device), inputs, plan, **private)
    return page


def _cancelled() -> tuple[str, None]:
    return bar(words.CANCELLED), None


def _clip() -> gr.Video:
    """Make the place for the clip, and the examples."""
    clip = gr.Video(label=words.CLIP, sources=["upload"], include_audio=True, elem_id="clip", height=130)
    examples = sorted(str(p) for p in (settings.ASSETS / "clips").glob("*.mp4"))
    gr.Examples(examples, clip, label=words.EXAMPLES)
    return clip


def _controls() -> list[gr.components.Component]:
    """Make everything else a visitor sets, in the order of the handler's arguments."""
    preset = gr.Radio(list(PAGE_PRESETS), value="Balanced", label=words.PRESETS, elem_id="preset")
    knobs = {name: _knob(name) for name in MAIN}
    frames = gr.Slider(
        1, settings.PAGE_FRAMES, settings.PAGE_DEFAULT_FRAMES, step=1, label=words.FRAMES, info=words.FRAMES_HELP
    )
    names = [(label, name) for name, label in words.LAYERS.items() if name in settings.METHODS and name != "bicubic"]
    methods = gr.CheckboxGroup(names, value=list(settings.COMPARED), label=words.METHODS_LABEL, elem_id="methods")
    with gr.Accordion(words.ADVANCED, open=False):
        start = gr.Number(0, minimum=0, label=words.START, info=words.START_HELP)
        truth = gr.Video(label=words.TRUTH, sources=["upload"], include_audio=True, elem_id="truth", height=160)
        knobs |= {name: _knob(name) for name in ADVANCED}
    preset.change(
        lambda name: PAGE_PRESETS[name]["steps"], preset, knobs["steps"], queue=False, api_visibility="private"
    )
    return [methods, frames, start, truth, *knobs.values()]


def _knob(name: str) -> gr.components.Component:
    """Make the control of one setting; range, label and help come from Settings."""
    knob = KNOBS[name]
    shown = {"value": knob.default, "label": knob.metadata["label"], "info": knob.metadata["help"], "elem_id": f"knob-{name}"}
    if "options" in knob.metadata:
        return gr.Radio(list(knob.metadata["options"]), **shown)
    low, high = knob.metadata["range"]
    if name == "seed":
        return gr.Number(precision=0, minimum=low, maximum=high, **shown)
    return gr.Slider(low, HIGHEST.get(name, high), step=STEP.get(name, 1), **shown)


def _handler(model: str, device: str):
    """Bind the model; the signature and docstring are what the API page shows."""

    def compare(
        clip: str | None,
        methods: list[str],
        frames: int,
        start_s: float,
        truth: str | None,
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
    ) -> Iterator[job.Shown]:
        """Upscale a part of a clip four times with each method and compare the results.

        The last answer holds the progress line, the preview, the comparison, its figures and the files.
        """
        knobs = Settings(
            steps=steps, guidance=guidance, flow=flow, guidance_mode=guidance_mode, sampler=sampler, segment=segment,
            overlap=overlap, segments=segments, seed=seed, colour=colour, decoder=decoder, cfw=cfw,
        )  # fmt: skip
        try:
            request = job.checked_request(clip, methods, start_s, frames, truth, knobs)
        except UserError as error:
            raise gr.Error(html.escape(str(error)), print_exception=False) from error
        yield from job.compare(model, device, request)

    return compare


def _planner(model: str, device: str):
    """Return the handler that says, before Run, what will be done and how long it takes."""

    def plan(clip, methods, frames, start_s, truth, *knobs) -> str:
        wanted = Settings(**dict(zip((*MAIN, *ADVANCED), knobs, strict=True)))
        try:
            request = job.checked_request(clip, methods, start_s, frames, truth, wanted)
            return _plan_text(request, model, device)
        except UserError as error:
            return words.PLAN_NONE if clip is None else html.escape(str(error))

    return plan


def _plan_text(request: job.Request, model: str, device: str) -> str:
    from mgld.commands.upscale import frames_ahead
    from mgld.video import probe

    known = probe(request.clip)
    frames = frames_ahead(known, request.start_s, request.frames) or request.frames
    pipeline, estimate = job.open_pipeline(model, device), words.PLAN_UNKNOWN
    megapixels = cost.canvas_megapixels(pipeline, known.height, known.width)
    if job.COST.ready:
        runs = [replace(request.knobs, method=m) for m in request.methods]
        seconds = sum(job.COST.seconds(s, frames, megapixels) for s in runs)
        memory = job.COST.memory_bytes(request.knobs, megapixels)
        estimate = words.PLAN_ESTIMATE.format(seconds=seconds, gigabytes=memory / 1e9)
    count = cost.segment_count(replace(request.knobs, method=request.methods[-1]), frames)
    one, many = words.PLAN_SEGMENTS
    return words.PLAN.format(
        frames=frames, width=known.width, height=known.height, estimate=estimate,
        out_width=known.width * settings.SCALE, out_height=known.height * settings.SCALE,
        segments=one if count == 1 else many.format(count),
    )  # fmt: skip


def launch(
    page: gr.Blocks, model: str, device: str, port: int | None = None, share: bool = False, block: bool = True
) -> None:
    """Serve the page with the settings that were tested (no open queue bypass, no stack traces, bounded uploads)."""
    threading.Thread(target=lambda: job.COST.measure(job.open_pipeline(model, device)), daemon=True).start()
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
        theme=THEME,
        prevent_thread_lock=not block,
        quiet=not block,
    )


THEME = gr.themes.Base(
    primary_hue="indigo",
    neutral_hue="slate",
    font=["system-ui", "sans-serif"],
    font_mono=["ui-monospace", "monospace"],
    text_size="md",
    spacing_size="sm",
    radius_size="md",
)
