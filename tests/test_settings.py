"""Settings refuse what is out of range, in a sentence that names the field."""

from __future__ import annotations

import math
import re
from dataclasses import fields
from pathlib import Path

import pytest

from mgld.__main__ import main
from mgld.errors import UserError
from mgld.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
NUMBERS = [f for f in fields(Settings) if "range" in f.metadata]
ENGINE = [
    *(ROOT / "mgld" / name for name in ("pipeline.py", "segment.py", "methods.py", "sampling/noise.py")),
    *(ROOT / "mgld" / "stages").glob("*.py"),
]
CHOICES = [f for f in fields(Settings) if "options" in f.metadata]


def test_defaults_are_good():
    assert Settings().checked() == Settings()


@pytest.mark.parametrize("field", NUMBERS, ids=lambda f: f.name)
@pytest.mark.parametrize("value", [math.nan, math.inf, -1, 1e308, True, "7", None, [1]])
def test_numbers_out_of_range_are_refused(field, value):
    with pytest.raises(UserError, match=field.metadata["label"].split(" (")[0]):
        Settings(**{field.name: value}).checked()


@pytest.mark.parametrize("field", CHOICES, ids=lambda f: f.name)
def test_unknown_names_are_refused(field):
    with pytest.raises(UserError, match="one of"):
        Settings(**{field.name: "surprise"}).checked()


def test_whole_numbers_stay_whole():
    assert Settings(steps=10.0).checked().steps == 10
    with pytest.raises(UserError, match="whole"):
        Settings(steps=2.5).checked()


def test_bounds_are_told_in_all_their_digits(capsys):
    with pytest.raises(UserError, match="from 0 to 2147483647"):
        Settings(seed=-1).checked()
    with pytest.raises(SystemExit):
        main(["upscale", "--help"])
    assert "0…2147483647" in "".join(capsys.readouterr().out.split())


def test_overlap_must_be_shorter_than_the_segment():
    with pytest.raises(UserError, match="overlap"):
        Settings(segment=3, overlap=3).checked()
    assert Settings(segment=1, overlap=2).checked()


@pytest.mark.parametrize("field", fields(Settings), ids=lambda f: f.name)
def test_a_setting_that_the_engine_does_not_read_would_change_nothing_in_silence(field):
    source = "".join(path.read_text(encoding="utf-8") for path in ENGINE)
    assert re.search(rf"(settings|wanted)\.{field.name}\b", source)


def test_there_cannot_be_more_steps_than_timesteps():
    assert Settings(steps=101, first_timestep=100).checked()
    with pytest.raises(UserError, match="Steps is 102, but it must be at most 101 from timestep 100"):
        Settings(steps=102, first_timestep=100).checked()
