"""The finished example that the page opens with belongs to the weights that ship."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

from mgld.comparison.takeaway import Takeaway
from mgld.presets import describe_model
from mgld.ui import taking
from mgld.ui.files import listed
from mgld.ui.first_sight import FOLDER, example_layers, example_takeaway, finished_example
from tests.comparison.outcomes import outcome


def test_the_example_was_made_by_the_weights_that_ship():
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    assert manifest["model"] == describe_model("tiny"), "run assets/example/make_example.py again"


def test_the_example_can_be_shown_and_voted_on():
    example = finished_example()
    layers = example_layers()
    assert [len(v) for v in layers.values()] == [example.value.stage.frames] * len(example.value.stage.layers)
    assert {"bicubic", "per_frame", "mgld"} <= set(layers)
    assert {column.key for column in example.value.stage.table} >= {"we", "sharpness"} and example.value.notes


def test_a_visitors_line_moves_in_their_own_report_of_the_example_only(tmp_path, monkeypatch):
    example = outcome(tmp_path)
    of_all = Takeaway(example)
    monkeypatch.setattr(taking, "example_outcome", lambda: example)
    monkeypatch.setattr(taking, "example_takeaway", lambda: of_all)
    monkeypatch.setattr(
        "mgld.comparison.takeaway.VideoWriter", None
    )  # videos are the same at any line: none is coded again
    ((moved, own),) = taking.report_at_line("y 0.25", None, SimpleNamespace(session_hash="nobody"))
    assert "Temporal profile at column 32" in {file.name for file in moved.files}
    assert own is not None and "Temporal profile at row 48" in {file.name for file in of_all.files}
    assert [file.path.name for file in own.files] == [file.path.name for file in of_all.files]


def test_the_example_can_be_taken_home():
    shown, clip = listed(example_takeaway()), Path(json.loads((FOLDER / "manifest.json").read_text())["clip"]).stem
    assert [file.file.orig_name for file in shown.files][:3] == ["comparison.mp4", "per_frame.mp4", "mgld.mp4"]
    assert shown.everything.orig_name == f"mgld-{clip}.zip"
