"""What the layers of a comparison are called, by method or a person's own file, and what is drawn of them."""

from __future__ import annotations

from mgld.methods import METHODS

INPUT, TRUTH = "bicubic", "truth"
PREFERRED = ("per_frame", "mgld")  # the two that are compared first, where they are there
PROFILE_TITLE = "Temporal profile"
CURVES_TITLE = "Flicker and sharpness, frame by frame"


def label_of(layer: str) -> str:
    """Return what a person reads."""
    if layer in METHODS:
        return METHODS[layer].layer
    return "Ground truth" if layer == TRUTH else layer


LABELS = (*(method.layer for method in METHODS.values()), label_of(TRUTH))


def first_pair(layers: list[str]) -> tuple[int, int]:
    """Return which two of the layers are compared first; the input is one of two, and of more none."""
    if set(PREFERRED) <= set(layers):
        return layers.index(PREFERRED[0]), layers.index(PREFERRED[1])
    last = len(layers) - 1
    return (1, last) if last > 1 else (0, last)
