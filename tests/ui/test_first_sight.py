"""The finished example that the page opens with belongs to the weights that ship."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

from mgld.presets import describe_model
from mgld.ui.files import listed
from mgld.ui.first_sight import FOLDER, example_layers, example_takeaway, finished_example
from mgld.ui.taking import report_at_line


def test_the_example_was_made_by_the_weights_that_ship():
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    assert manifest["model"] == describe_model("tiny"), "run assets/example/make_example.py again"


def test_the_example_can_be_shown_and_voted_on():
    example = finished_example()
    layers = example_layers()
    assert [len(v) for v in layers.values()] == [example.value.stage.frames] * len(example.value.stage.layers)
    assert {"bicubic", "per_frame", "mgld"} <= set(layers)
    assert {column.key for column in example.value.stage.table} >= {"we", "sharpness"} and example.value.notes


def test_a_visitors_line_moves_in_their_own_report_of_the_example_only():
    ((moved, own),) = report_at_line("y 0.25", None, SimpleNamespace(session_hash="nobody"))
    stage = finished_example().value.stage
    assert f"Temporal profile at column {stage.width // 4}" in {file.name for file in moved.files}
    theirs = {file.name for file in example_takeaway().files}
    assert own is not None and f"Temporal profile at row {stage.height // 2}" in theirs


def test_the_example_can_be_taken_home():
    shown, clip = listed(example_takeaway()), Path(json.loads((FOLDER / "manifest.json").read_text())["clip"]).stem
    assert [file.file.orig_name for file in shown.files][:3] == ["comparison.mp4", "per_frame.mp4", "mgld.mp4"]
    assert shown.everything.orig_name == f"mgld-{clip}.zip"
