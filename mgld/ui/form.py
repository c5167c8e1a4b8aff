"""Everything a visitor sets: the clip, the named controls, and the rest behind one fold."""

from __future__ import annotations

from dataclasses import dataclass, fields

import gradio as gr

from mgld import settings
from mgld.errors import UserError
from mgld.flow import weights_of
from mgld.methods import COMPARED, METHODS, OURS
from mgld.presets import PRESETS, folder_of
from mgld.settings import PAGE_HIGHEST, PAGE_PRESETS, PAGE_STEP, Settings
from mgld.ui import words
from mgld.ui.crop import CropBox

KNOBS = {f.name: f for f in fields(Settings) if f.name != "method"}
MAIN = ("steps", "guidance", "flow")
ADVANCED = tuple(name for name in KNOBS if name not in MAIN)


@dataclass
class Form:
    """The controls by name, in the order in which every handler takes their values; and the buttons beside them."""

    controls: dict[str, gr.components.Component]
    run: gr.Button
    cancel: gr.Button
    plan: gr.Markdown
    frame: CropBox
    lab_show: gr.Button
    lab_picture: gr.Image
    copy_link: gr.Button
    link: gr.Textbox
    preset: gr.Radio

    @property
    def inputs(self) -> list[gr.components.Component]:
        return list(self.controls.values())


def build(model: str) -> Form:
    """Make the column of controls."""
    clip = gr.Video(label=words.CLIP, sources=["upload"], include_audio=True, elem_id="clip", height=130)
    gr.Examples(sorted(str(p) for p in (settings.ASSETS / "clips").glob("*.mp4")), clip, label=words.EXAMPLES)
    with gr.Row(elem_id="actions"):
        run = gr.Button(words.RUN, variant="primary", elem_id="run")
        cancel = gr.Button(words.CANCEL, elem_id="cancel")
    plan = gr.Markdown(words.PLAN_NONE, elem_id="plan")
    preset = gr.Radio(
        list(PAGE_PRESETS), value="Balanced", label=words.PRESETS, info=words.PRESETS_HELP, elem_id="preset"
    )
    knobs = {name: _knob(name) for name in MAIN}
    frames = gr.Slider(
        1,
        settings.PAGE_FRAMES,
        settings.PAGE_DEFAULT_FRAMES,
        step=1,
        label=words.FRAMES,
        info=words.FRAMES_HELP,
        elem_id="frames",
    )
    names = [(METHODS[name].layer, name) for name in OURS]
    methods = gr.CheckboxGroup(
        names, value=list(COMPARED), label=words.METHODS_LABEL, info=words.METHODS_HELP, elem_id="methods"
    )
    with gr.Accordion(words.ADVANCED, open=False, elem_id="advanced"):
        start = gr.Number(0, minimum=0, label=words.START, info=words.START_HELP, elem_id="start")
        frame = CropBox(elem_id="frame")
        crop = gr.Textbox("", label=words.CROP, info=words.CROP_HELP, max_lines=1, elem_id="crop")
        chosen = gr.Radio(_models(model), value=model, label=words.MODEL, info=_model_help(), elem_id="model")
        knobs |= {name: _knob(name) for name in ADVANCED}
        truth = gr.Video(label=words.TRUTH, sources=["upload"], include_audio=True, elem_id="truth", height=130)
        others = gr.Files(label=words.OTHERS, file_types=list(settings.VIDEO_SUFFIXES), elem_id="others", height=110)
        degrade = gr.Checkbox(False, label=words.LAB, info=words.LAB_HELP, elem_id="degrade")
        seed = gr.Number(
            0,
            minimum=0,
            maximum=2**31 - 1,
            precision=0,
            label=words.LAB_SEED,
            info=words.LAB_SEED_HELP,
            elem_id="degrade-seed",
        )
        lab_show = gr.Button(words.LAB_SHOW, size="sm", elem_id="lab-show")
        lab_picture = gr.Image(label=words.LAB_PICTURE, interactive=False, format="webp", elem_id="lab", visible=False)
        copy_link = gr.Button(words.COPY_LINK, size="sm", elem_id="copy-link")
        link = gr.Textbox("", label=words.LINK, interactive=False, max_lines=1, elem_id="link")
    controls = {
        "clip": clip, "methods": methods, "frames": frames, "start_s": start, "crop": crop, "truth": truth, "others": others,
        "degrade": degrade, "degrade_seed": seed, "model": chosen, **knobs,
    }  # fmt: skip
    return Form(controls, run, cancel, plan, frame, lab_show, lab_picture, copy_link, link, preset)


PRESET_KNOBS = tuple(next(iter(PAGE_PRESETS.values())))


def preset_of(*values: float) -> str | None:
    """Return the preset that stands for these values of PRESET_KNOBS, if one does."""
    return next((name for name, preset in PAGE_PRESETS.items() if tuple(preset.values()) == values), None)


def _knob(name: str) -> gr.components.Component:
    """Make the control of one setting; range, label and help come from Settings."""
    knob = KNOBS[name]
    shown = {
        "value": knob.default,
        "label": knob.metadata["label"],
        "info": knob.metadata["help"],
        "elem_id": f"knob-{name}",
    }
    if name == "flow":
        options, shown["info"] = _flows(knob.metadata["help"])
        return gr.Radio(options, **shown)
    if "options" in knob.metadata:
        return gr.Radio(list(knob.metadata["options"]), **shown)
    low, high = knob.metadata["range"]
    if name == "seed":
        return gr.Number(precision=0, minimum=low, maximum=high, **shown)
    return gr.Slider(low, PAGE_HIGHEST.get(name, high), step=PAGE_STEP.get(name, 1), **shown)


def _flows(help: str) -> tuple[list[tuple[str, str]], str]:
    """Return the networks as choices, and the help: what is absent says so, and how to get it."""
    options, notes = [], [help]
    for name in settings.FLOWS:
        try:
            weights_of(name)
        except UserError as absent:
            options.append((words.ABSENT.format(name), name))
            notes.append(str(absent))
        else:
            options.append((name, name))
    return options, " ".join(notes)


def _models(model: str) -> list[tuple[str, str]]:
    """Return the presets (and the folder that the page was started with) as choices; what is absent says so."""
    return [
        (name if _absent(name) is None else words.ABSENT.format(name), name)
        for name in dict.fromkeys([*PRESETS, model])
    ]


def _model_help() -> str:
    missing = [absent for name in PRESETS if (absent := _absent(name))]
    return " ".join([words.MODEL_HELP, *missing])


def _absent(model: str) -> str | None:
    """Return why a model is not here, or None."""
    try:
        folder_of(model)
    except UserError as absent:
        return str(absent)
    return None
