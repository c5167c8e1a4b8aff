"""The page: which event of which part calls what; and how the page is served."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import gradio as gr
from starlette.middleware import Middleware

from mgld import constants, host, memory
from mgld.comparison import estimate
from mgld.comparison.ablation import table_3
from mgld.comparison.asked import LINKED
from mgld.comparison.figures import told_of
from mgld.comparison.produce import Machine
from mgld.comparison.report import TITLE
from mgld.constants import PAGE_PRESETS
from mgld.errors import UserError
from mgld.host import PAGE_MODEL
from mgld.presets import offered
from mgld.ui import crop, form, handlers, planning, refusals, running, study_tab, taking, uploads, words
from mgld.ui.asking import of_form
from mgld.ui.element import FAVICON, STYLE
from mgld.ui.layout import AT_ONCE, PRIVATE, Parts, laid_out
from mgld.worker import answers, open_pipeline, raising

MEASURED = threading.Event()  # the device's speed is known, or will not be before the first job
# One device job at a time; the status line tells the place in the line and how far it is.
DEVICE = {"concurrency_limit": 1, "concurrency_id": "device", "show_progress": "hidden"}


def this_machine(device: str, on_gpu: Callable = lambda function: function, model: str = PAGE_MODEL) -> Machine:
    """Return the machine that jobs run on, which offers model beside what the host's environment names.

    on_gpu wraps the device's side of a job where a host lends its GPU (ZeroGPU).
    """
    answering = on_gpu(answers)
    return Machine(device, raising(answering), lent=answering is not answers, models=offered(model))


def build(model: str, machine: Machine) -> gr.Blocks:
    """Return the page."""
    uploads.own_folder()
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True) as page:
        parts = laid_out(model, machine.models)
        runs = _wire_runs(parts, machine)
        _wire_cancel(parts, runs)
        parts.scope_tab.select(parts.look, None, parts.scope, **AT_ONCE)
        parts.study_tab.select(study_tab.offered, None, parts.pair, **AT_ONCE)
        _wire_form(page, parts.asked, machine, parts.line)
        page.unload(_leaving(page))
    return page


def _wire_runs(parts: Parts, machine: Machine) -> list[gr.events.Dependency]:
    """Wire the three buttons that ask for the device; return what they start."""
    asked = parts.asked
    in_line = gr.Timer(2, active=False)
    in_line.tick(handlers.still_waiting, None, [parts.line, in_line], **AT_ONCE)

    def started(button: gr.Button) -> gr.events.Dependency:
        """Line up for the device, and let only Cancel be pressed until the run is over."""
        lined_up = [parts.line, in_line, *parts.buttons]
        return button.click(handlers.queueing(machine), asked.inputs, lined_up, **AT_ONCE)

    run = started(asked.run).then(
        handlers.comparing(machine), asked.inputs, parts.outputs, api_name="compare", **DEVICE
    )
    four = started(parts.ablate).then(
        handlers.ablating(machine), asked.inputs, parts.outputs, api_visibility="private", **DEVICE
    )
    sweep = started(parts.sweep).then(
        handlers.sweeping(machine), [parts.strengths, *asked.inputs],
        [parts.line, parts.preview, parts.sweep_picture, parts.sweep_table, parts.stage], api_visibility="private", **DEVICE,
    )  # fmt: skip
    for work in (run, four, sweep):
        _wire_end(work, parts, machine)
    four.then(_table_3, None, parts.ablation_table, **AT_ONCE)
    return [run, four, sweep]


def _wire_end(work: gr.events.Dependency, parts: Parts, machine: Machine) -> None:
    """Wire what follows a run: it may be asked again, and everything that looks into its result does."""
    asked = parts.asked
    for over in (work.then, work.failure):
        over(handlers.ready_again, None, parts.buttons, **AT_ONCE)
    work.then(parts.look, None, parts.scope, **AT_ONCE)
    work.then(study_tab.offered, None, parts.pair, **AT_ONCE)
    work.then(taking.what_more, None, parts.more, **AT_ONCE)
    work.then(planning.planning(machine), asked.inputs, asked.plan, **AT_ONCE)  # its speed is known now
    work.failure(lambda: None, None, parts.preview, **AT_ONCE)  # the line has said why


def _wire_cancel(parts: Parts, runs: list[gr.events.Dependency]) -> None:
    asked = parts.asked
    stopped = asked.cancel.click(None, None, None, cancels=runs, **AT_ONCE)
    stopped.then(handlers.cancelled, None, parts.outputs, **PRIVATE)
    stopped.then(handlers.ready_again, None, parts.buttons, **AT_ONCE)
    stopped.then(taking.what_more, None, parts.more, **AT_ONCE)


def _wire_form(page: gr.Blocks, asked: form.Form, machine: Machine, line: gr.HTML) -> None:
    """Wire what happens in the form before Run: the plan, the frame, the lab, presets and the link."""
    controls = asked.controls
    # One listener for all controls, of which only the last call counts: a link changes many at once, and an answer to an earlier
    # state must not arrive after that to the last.
    last = {"trigger_mode": "always_last", **AT_ONCE}
    gr.on([c.change for c in asked.inputs], planning.planning(machine), asked.inputs, asked.plan, **last)
    waiting = gr.Timer(2)
    waiting.tick(planning.measured_yet(machine, MEASURED), asked.inputs, [asked.plan, waiting], **AT_ONCE)
    seen = [controls[n] for n in ("clip", "start_s", "crop")]
    gr.on([c.change for c in seen], planning.framed, seen, [asked.frame, asked.poster], **last)
    asked.frame.drawn(crop.drawn_text, None, controls["crop"], **AT_ONCE)
    asked.lab_show.click(of_form(planning.lab), asked.inputs, asked.lab_picture, **PRIVATE)
    preset_knobs = [controls[name] for name in form.PRESET_KNOBS]
    asked.preset.input(_of_preset, asked.preset, preset_knobs, **AT_ONCE)
    gr.on([knob.change for knob in preset_knobs], form.preset_of, preset_knobs, asked.preset, **last)
    linked = [controls[n] for n in LINKED]
    asked.copy_link.click(None, linked, asked.link, js=planning.link_script(controls), **AT_ONCE)
    page.load(None, None, None, js=handlers.opening_script(), **AT_ONCE)
    page.load(planning.restored, None, [*linked, line], **AT_ONCE)


def _of_preset(name: object) -> list:
    """Return what a preset sets; a client may name none."""
    found = PAGE_PRESETS.get(name) if isinstance(name, str) else None
    return [gr.skip()] * len(form.PRESET_KNOBS) if found is None else list(found.values())


def _table_3(request: gr.Request) -> str:
    job = running.SESSIONS.get(request.session_hash)
    table = table_3(job.figures.rows) if job is not None and job.figures is not None else None
    return words.ABLATION_EMPTY if table is None else told_of(table)


def _leaving(page: gr.Blocks) -> Callable[[gr.Request], None]:
    """Return what forgets a visitor who leaves; Gradio's own part, some 400 KB, would stay for thousands of others."""

    def left(request: gr.Request) -> None:
        running.QUEUE.leave(request.session_hash)
        running.SESSIONS.forget(request.session_hash)
        page.state_holder.session_data.pop(request.session_hash, None)
        page.state_holder.time_last_used.pop(request.session_hash, None)

    return left


def launch(
    page: gr.Blocks, model: str, machine: Machine, port: int | None = None, share: bool = False, block: bool = True
) -> None:
    """Serve the page with the settings that were tested (no open queue bypass, no stack traces, bounded uploads).

    Raises UserError where another program has the port.
    """
    _prepare(page, model, machine)
    page.queue(max_size=host.QUEUE, api_open=False, default_concurrency_limit=8)
    uploads.watch(page, host.FILES_S)
    memory.settle()
    try:
        _serve(page, port, share, block)
    except OSError as error:
        if "empty port" not in str(error):  # Gradio's words, which have no number
            raise
        raise refusals.port_taken() from error


def _serve(page: gr.Blocks, port: int | None, share: bool, block: bool) -> None:
    page.launch(
        server_port=port,
        share=share,
        max_file_size=host.UPLOAD_BYTES,
        state_session_capacity=constants.PAGE_SESSIONS,
        app_kwargs={"middleware": [Middleware(uploads.Bounds, page=page)]},
        show_error=False,
        ssr_mode=False,
        run_history=False,
        footer_links=["api"],
        favicon_path=FAVICON,
        css=STYLE,
        theme=THEME,
        prevent_thread_lock=not block,
        quiet=not block,
    )


def _prepare(page: gr.Blocks, model: str, machine: Machine) -> None:
    """Measure the device beside the page; a lent one is not borrowed for that, but the model is opened, for its forks to find."""

    def measure() -> None:
        while not page.is_running:  # and perhaps it never is: a program that ends while torch computes is aborted
            time.sleep(0.1)
        _calibrate(lambda: estimate.calibrate(model, machine))

    if machine.lent:
        _calibrate(lambda: open_pipeline(model, machine.device))
    else:
        threading.Thread(target=measure, daemon=True).start()


def _calibrate(work: Callable[[], object]) -> None:
    try:
        work()
    except UserError:
        return  # the model is absent: the page says so where it is chosen and when it is run
    finally:
        MEASURED.set()


THEME = gr.themes.Base(
    primary_hue="indigo",
    neutral_hue="slate",
    font=["system-ui", "sans-serif"],
    font_mono=["ui-monospace", "monospace"],
    text_size="md",
    spacing_size="sm",
    radius_size="md",
).set(  # at least 4.5:1 on every background of the page, light and dark
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_300",
    block_info_text_color="*neutral_600",
    block_info_text_color_dark="*neutral_300",
    block_label_text_color="*neutral_600",
    block_label_text_color_dark="*neutral_300",
    block_title_text_color="*neutral_700",
    block_title_text_color_dark="*neutral_200",
    input_placeholder_color="*neutral_600",
    input_placeholder_color_dark="*neutral_300",
    button_primary_background_fill="*primary_600",
    button_primary_background_fill_hover="*primary_700",
    button_primary_background_fill_dark="*primary_600",
    button_primary_background_fill_hover_dark="*primary_700",
)
