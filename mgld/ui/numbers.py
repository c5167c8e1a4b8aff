"""Controls of numbers that refuse by their label: of what is no number, or out of bounds, Gradio says too little."""

from __future__ import annotations

import html
import math

import gradio as gr

from mgld import errors
from mgld.ui.element import Unstubbed


def in_bounds(control: gr.Slider | gr.Number, payload: object) -> bool:
    """Say whether it is a number that the control holds; raise Gradio's error for one that it does not.

    What is no number is left to whoever checks what is asked: an API client may send anything.
    """
    if isinstance(payload, bool) or not isinstance(payload, (int, float)) or math.isnan(payload):
        return False
    low, high = control.minimum, control.maximum
    if not low <= payload <= high:
        refused = errors.bad_setting(control.label, payload, f"a number from {low:.10g} to {high:.10g}")
        raise gr.Error(html.escape(str(refused)), print_exception=False)
    return True


class Slider(gr.Slider, metaclass=Unstubbed):
    """Gradio's slider, to the browser."""

    is_template = True

    def preprocess(self, payload: object) -> object:
        return super().preprocess(payload) if in_bounds(self, payload) else payload


class Number(gr.Number, metaclass=Unstubbed):
    """Gradio's number, to the browser."""

    is_template = True

    def preprocess(self, payload: object) -> object:
        return super().preprocess(payload) if in_bounds(self, payload) else payload
