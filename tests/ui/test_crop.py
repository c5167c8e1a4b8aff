"""The frame on which a part is drawn: its picture lies where old files are swept, and any event is a rectangle or none."""

from __future__ import annotations

import tempfile
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from gradio.utils import get_upload_folder

from mgld.ui import crop


def test_the_picture_lies_in_gradios_cache_and_nothing_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    made = crop.frame_of(np.zeros((48, 64, 3), np.uint8), None, "caption")
    assert Path(made.image.path).is_relative_to(get_upload_folder()) and Path(made.image.path).stat().st_size > 100
    assert [path.name for path in tmp_path.iterdir()] == ["gradio"]


@pytest.mark.parametrize("data", [None, 7, "box", [], {}, {"box": None}, {"box": [1, 2]}, {"box": [1, 2, 3, "x"]}])
def test_an_event_without_a_rectangle_is_the_whole_frame(data):
    assert crop.drawn_text(gr.EventData(None, data)) == ""


def test_a_rectangle_is_its_text():
    assert crop.drawn_text(gr.EventData(None, {"box": [10, 20.5, 60, 70]})) == "10, 20.5, 60, 70"
