"""Everything a visitor sets: the clip, the named controls, and the rest behind one fold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import gradio as gr

from mgld import settings
from mgld.comparison.asked import FIELDS, KNOBS, OWN, TYPES, Asked
from mgld.constants import DEFAULT_MODEL, PAGE_HIGHEST, PAGE_PRESETS, PAGE_STEP
from mgld.errors import UserError
from mgld.flow import weights_of
from mgld.presets import folder_of
from mgld.settings import LABELS
from mgld.ui import source, words
from mgld.ui.crop import CropBox
from mgld.ui.numbers import Number, Slider

# beside the clip; everything else is behind the fold, in groups
MAIN = ("guidance", "steps", "frames", "flow", "temporal_filter")
CLIP_GROUP = ("start_s", "crop")
MODEL_GROUP = ("methods", "model")
PUBLISHED_GROUP = (
    "flow_range",
    "last_segment",
    "encoders",
    "tiling",
    "blending",
    "rounding",
)  # for comparisons with it
IDS = {"start_s": "start", "degrade_seed": "degrade-seed"}  # of elements, where they differ from the field's name
_DEFAULT = vars(Asked())


@dataclass
class Form:
    """The controls by name, in the order in which every handler takes their values; and the buttons beside them."""

    controls: dict[str, gr.components.Component]
    run: gr.Button
    cancel: gr.Button
    plan: gr.HTML
    poster: gr.HTML
    frame: CropBox
    lab_show: gr.Button
    lab_picture: gr.Image
    copy_link: gr.Button
    link: gr.Textbox
    preset: gr.Radio

    @property
    def inputs(self) -> list[gr.components.Component]:
        return list(self.controls.values())


def build(model: str, models: Mapping[str, str], private: dict) -> Form:
    """Make the column of controls, with models to choose from, by what they are called; private is how its events are wired."""
    made = {"clip": _control("clip")}
    poster = source.beside(made["clip"], private)
    with gr.Row(elem_id="actions"):
        run = gr.Button(words.RUN, variant="primary", elem_id="run")
        cancel = gr.Button(words.CANCEL, elem_id="cancel", interactive=False)
    plan = gr.HTML(words.PLAN_NONE, elem_id="plan")
    preset = gr.Radio(
        list(PAGE_PRESETS), value="Balanced", label=words.PRESETS, info=words.PRESETS_HELP, elem_id="preset"
    )
    made |= {name: _control(name) for name in MAIN}
    with gr.Accordion(words.ADVANCED, open=False, elem_id="advanced"):
        _heading("clip")
        frame = CropBox(elem_id="frame")
        made |= _controls(CLIP_GROUP)
        _heading("model")
        made |= _controls(MODEL_GROUP, model, models)
        _heading("sampling")
        made |= _controls([name for name in KNOBS if name not in MAIN + PUBLISHED_GROUP])
        _heading("published")
        made |= _controls(PUBLISHED_GROUP)
        _heading("truth")
        made |= _controls([name for name in FIELDS if name not in made])
        lab_show = gr.Button(words.LAB_SHOW, size="sm", elem_id="lab-show")
        lab_picture = gr.Image(label=words.LAB_PICTURE, interactive=False, format="webp", elem_id="lab", visible=False)
        _heading("link")
        copy_link = gr.Button(words.COPY_LINK, size="sm", elem_id="copy-link")
        link = gr.Textbox("", label=words.LINK, interactive=False, max_lines=1, elem_id="link")
    controls = {name: made[name] for name in FIELDS}
    return Form(controls, run, cancel, plan, poster, frame, lab_show, lab_picture, copy_link, link, preset)


PRESET_KNOBS = tuple(next(iter(PAGE_PRESETS.values())))


def preset_of(*values: float) -> str | None:
    """Return the preset that stands for these values of PRESET_KNOBS, if one does."""
    return next((name for name, preset in PAGE_PRESETS.items() if tuple(preset.values()) == values), None)


def _heading(group: str) -> None:
    gr.HTML(f'<h3 class="group">{words.GROUPS[group]}</h3>')


def _controls(
    names: Iterable[str], model: str = DEFAULT_MODEL, models: Mapping[str, str] | None = None
) -> dict[str, gr.components.Component]:
    """Make controls that belong together; short ones stand side by side where there is room."""
    with gr.Row(elem_classes="group"):
        return {name: _control(name, model, models) for name in names}


def _control(name: str, model: str = DEFAULT_MODEL, models: Mapping[str, str] | None = None) -> gr.components.Component:
    """Make the control of one field of Asked; kind, range, label and help come from its declaration."""
    if name in KNOBS:
        return _knob(name)
    entry = OWN[name].metadata
    value = _DEFAULT[name] if name != "model" else model
    named = {"label": entry["label"], "elem_id": IDS.get(name, name)}
    low, high = entry["bounds"] or (None, None)
    match entry["control"]:
        case "clip":  # any file may come: reading it says what it is, and what to do if it is no clip
            return gr.File(height=92, **named)
        case "files":
            return gr.Files(height=92, **named)
        case "checks":
            return gr.CheckboxGroup(entry["options"], value=value, info=entry["help"], **named)
        case "slider":
            return Slider(low, high, value, step=1, info=entry["help"], **named)
        case "number":
            whole = 0 if TYPES[name] is int else None
            return Number(value, minimum=low, maximum=high, precision=whole, info=entry["help"], **named)
        case "text":
            return gr.Textbox(value, max_lines=1, info=entry["help"], **named)
        case "checkbox":
            return gr.Checkbox(value, info=entry["help"], **named)
        case "model":
            options, help = _models(models or {}, entry["help"])
            return gr.Radio(options, value=value, info=help, **named)
    raise TypeError(f"{name}: there is no control of the kind {entry['control']!r}")


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
        return gr.Radio([(label, option) for option, label in knob.metadata["labels"].items()], **shown)
    low, high = knob.metadata["range"]
    if name == "seed":
        return Number(precision=0, minimum=low, maximum=high, **shown)
    return Slider(low, PAGE_HIGHEST.get(name, high), step=PAGE_STEP.get(name, 1), **shown)


def _flows(help: str) -> tuple[list[tuple[str, str]], str]:
    """Return the networks as choices, and the help; what is absent says so."""
    missing = {name for name in settings.FLOWS if _is_absent(weights_of, name)}
    options = [(words.ABSENT.format(LABELS[n]) if n in missing else LABELS[n], n) for n in settings.FLOWS]
    return options, _help(help, missing)


def _models(models: Mapping[str, str], help: str) -> tuple[list[tuple[str, str]], str]:
    """Return the models that the host offers as choices, and the help; what is absent says so."""
    missing = {name for name, model in models.items() if _is_absent(folder_of, model)}
    return [(words.ABSENT.format(n) if n in missing else n, n) for n in models], _help(help, missing)


def _help(help: str, missing: set[str]) -> str:
    return f"{help} {words.ABSENT_TOLD}" if missing else help


def _is_absent(find: Callable[[str], object], name: str) -> bool:
    """Say whether what find looks for is not on this machine."""
    try:
        find(name)
    except UserError:
        return True
    return False
