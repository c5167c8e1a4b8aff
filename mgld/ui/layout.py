"""What stands where: controls on the left, the comparison and everything that looks into it on the right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import gradio as gr

from mgld.comparison.sweep import STRENGTHS
from mgld.constants import SWEEP
from mgld.presets import name_of
from mgld.ui import form, scope, study_tab, taking, words
from mgld.ui.compare import CompareStage
from mgld.ui.files import FileList
from mgld.ui.first_sight import finished_example
from mgld.ui.progress import bar

PRIVATE = {"api_visibility": "private", "show_progress": "hidden"}
AT_ONCE = {"queue": False, **PRIVATE}


class Parts(NamedTuple):
    """What is to be wired. look draws the scope's parts anew; more are the buttons for further files, and what is said of them."""

    asked: form.Form
    preview: gr.Image
    line: gr.HTML
    stage: CompareStage
    scope: list[gr.components.Component]
    look: Callable
    scope_tab: gr.Tab
    sweep: gr.Button
    strengths: gr.Textbox
    sweep_picture: gr.Image
    sweep_table: gr.Markdown
    ablate: gr.Button
    ablation_table: gr.Markdown
    pair: gr.CheckboxGroup
    study_tab: gr.Tab
    files: FileList
    more: list[gr.components.Component]

    @property
    def outputs(self) -> list[gr.components.Component]:
        """Return what a comparison fills."""
        return [self.line, self.preview, self.stage, self.files]

    @property
    def buttons(self) -> list[gr.Button]:
        """Return the three that start a run, and the one that cancels it."""
        return [self.asked.run, self.ablate, self.sweep, self.asked.cancel]


def laid_out(model: str, models: Mapping[str, str]) -> Parts:
    """Lay the page out, with models to choose from, by what they are called; it begins with model."""
    gr.Markdown(words.INTRO, elem_id="intro")
    with gr.Row(elem_id="studio"):
        with gr.Column(scale=3, min_width=300, elem_id="controls"):
            asked = form.build(name_of(model), models, AT_ONCE)
            preview = gr.Image(label=words.PREVIEW, interactive=False, format="webp", elem_id="preview", buttons=[])
        with gr.Column(scale=9, min_width=320, elem_id="results"):
            line = gr.HTML(bar(words.READY), elem_id="progress")
            with gr.Tabs(elem_id="tabs"):
                tabs = (_compare_tab(), *_scope_tab(), *_sweep_tab(), *_ablation_tab(), *_study_tab(), *_files_tab())
    return Parts(asked, preview, line, *tabs)


def _compare_tab() -> CompareStage:
    with gr.Tab(words.TABS["compare"], id="compare"):
        return CompareStage(finished_example().value, elem_id="stage")


def _scope_tab() -> tuple[list, Callable, gr.Tab]:
    with gr.Tab(words.TABS["scope"], id="scope") as tab:
        parts, look = scope.build(AT_ONCE)
    return parts, look, tab


def _sweep_tab() -> tuple[gr.Button, gr.Textbox, gr.Image, gr.Markdown]:
    with gr.Tab(words.TABS["sweep"], id="sweep"):
        gr.Markdown(words.SWEEP_INTRO, elem_classes="quiet")
        with gr.Row(elem_classes="asked"):
            text = ", ".join(f"{s:g}" for s in SWEEP)
            strengths = gr.Textbox(text, label=STRENGTHS, max_lines=1, elem_id="strengths", scale=3)
            run = gr.Button(words.SWEEP_RUN, elem_id="sweep-run", scale=1)
        example = finished_example()
        picture = gr.Image(
            example.sweep_picture, label=words.SWEEP_FIGURE, show_label=False, interactive=False, format="png", elem_id="sweep",
            buttons=["download", "fullscreen"],
        )  # fmt: skip
        return run, strengths, picture, gr.Markdown(_of_example(example.sweep_table), elem_id="sweep-table")


def _ablation_tab() -> tuple[gr.Button, gr.Markdown]:
    with gr.Tab(words.TABS["ablation"], id="ablation"):
        gr.Markdown(words.ABLATION_INTRO, elem_classes="quiet")
        run = gr.Button(words.ABLATION_RUN, elem_id="ablate", elem_classes="lone")
        return run, gr.Markdown(
            _of_example(finished_example().ablation_table) or words.ABLATION_EMPTY, elem_id="table-3"
        )


def _of_example(table: str) -> str:
    """Return the example's table and whose it is, or nothing where there is none."""
    return table and f"{words.OF_EXAMPLE}\n\n{table}"


def _study_tab() -> tuple[gr.CheckboxGroup, gr.Tab]:
    with gr.Tab(words.TABS["study"], id="study") as tab:
        pair = study_tab.build(AT_ONCE)
    return pair, tab


def _files_tab() -> tuple[FileList, list[gr.components.Component]]:
    with gr.Tab(words.TABS["files"], id="files") as tab:
        gr.Markdown(words.FILES_HELP, elem_classes="quiet")
        files = FileList(elem_id="files")
        tab.select(taking.example_files, None, files, **PRIVATE)
        with gr.Row(elem_id="more-files"):
            report = gr.Button(words.LINE_REPORT, elem_id="line-report", elem_classes="lone")
            lossless = gr.Button(words.LOSSLESS, elem_id="lossless", elem_classes="lone", interactive=False)
        later = gr.Markdown(words.LOSSLESS_LATER, elem_classes="quiet")
        line, own_example = gr.Textbox(visible=False), gr.State(None)
        slow = {"api_visibility": "private", "show_progress": "minimal"}  # seconds go by
        report.click(
            taking.report_at_line, [line, own_example], [files, own_example],
            js=taking.LINE_SCRIPT, **slow,
        )  # fmt: skip
        lossless.click(taking.lossless, None, files, **slow)
        return files, [report, lossless, later]
