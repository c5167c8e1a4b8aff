"""Controls of numbers that let through what Gradio would refuse without saying where; the request checks it by its label."""

from __future__ import annotations

import math

import gradio as gr

from mgld.ui.element import Unstubbed


def in_bounds(control: gr.Slider | gr.Number, payload: object) -> bool:
    """Say whether it is a number that the control holds.

    What is none is left to whoever checks what is asked, who refuses by the label, where the page shows it: an error that is raised
    here ends the call before that, and the plan of before stands there as if it held.
    """
    if isinstance(payload, bool) or not isinstance(payload, (int, float)) or math.isnan(payload):
        return False
    return control.minimum <= payload <= control.maximum


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
