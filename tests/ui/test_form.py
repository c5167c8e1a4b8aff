"""The form's presets."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from mgld.settings import PAGE_PRESETS, Settings
from mgld.ui.form import PRESET_KNOBS, preset_of


@pytest.mark.parametrize("name", PAGE_PRESETS)
def test_a_preset_is_recognised_by_its_values_and_is_possible(name):
    assert tuple(PAGE_PRESETS[name]) == PRESET_KNOBS
    assert preset_of(*PAGE_PRESETS[name].values()) == name
    Settings(**PAGE_PRESETS[name]).checked()


def test_the_defaults_are_balanced_and_other_values_are_no_preset():
    assert preset_of(*(asdict(Settings())[knob] for knob in PRESET_KNOBS)) == "Balanced"
    assert preset_of(6, 9) is None
