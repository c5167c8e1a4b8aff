"""The form's presets and choices."""

from __future__ import annotations

from dataclasses import asdict

import gradio as gr
import pytest

from mgld.comparison.asked import KNOBS
from mgld.constants import PAGE_PRESETS
from mgld.errors import UserError
from mgld.settings import Settings
from mgld.ui import form, words
from mgld.ui.form import PRESET_KNOBS, preset_of


@pytest.mark.parametrize("name", PAGE_PRESETS)
def test_a_preset_is_recognised_by_its_values_and_is_possible(name):
    assert tuple(PAGE_PRESETS[name]) == PRESET_KNOBS
    assert preset_of(*PAGE_PRESETS[name].values()) == name
    Settings(**PAGE_PRESETS[name]).checked()


def test_the_defaults_are_balanced_and_other_values_are_no_preset():
    assert preset_of(*(asdict(Settings())[knob] for knob in PRESET_KNOBS)) == "Balanced"
    assert preset_of(6, 9) is None


@pytest.mark.parametrize("name", [name for name, knob in KNOBS.items() if "options" in knob.metadata])
def test_choices_go_by_their_labels_and_send_their_names(name):
    labels = KNOBS[name].metadata["labels"]
    with gr.Blocks():
        control = form._knob(name)
    assert control.choices == [(label, option) for option, label in labels.items()]
    assert all(label[0].isupper() for label in labels.values()) and len(set(labels.values())) == len(labels)


def test_what_is_absent_is_marked_and_no_command_is_shown(monkeypatch):
    def absent(name: str) -> None:
        if name == "raft":
            raise UserError("Run `python -m mgld convert flow raft`.")

    monkeypatch.setattr(form, "weights_of", absent)
    options, help = form._flows("Which network.")
    assert options == [("DIS", "dis"), ("SPyNet", "spynet"), ("RAFT (not here)", "raft")]
    assert help == f"Which network. {words.ABSENT_TOLD}"
