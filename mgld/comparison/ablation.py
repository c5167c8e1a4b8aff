"""The paper's Table 3: motion-guided sampling × temporal decoder, from the same noise, on any clips."""

from __future__ import annotations

from collections.abc import Mapping

from mgld.comparison.layers import INPUT
from mgld.methods import METHODS, OURS
from mgld.metrics import table

HEAD = ("method", "motion-guided sampling", "temporal decoder")
MARKS = {True: "✓", False: "–"}
NO_METHOD = (" ", " ")  # of the two parts


def table_3(rows: Mapping[str, Mapping[str, float | None]]) -> str | None:
    """Return Table 3 of figures by method and metric key, under the input where it was measured; None unless all four are there."""
    if not set(OURS) <= set(rows):
        return None
    labels = {INPUT: " | ".join([METHODS[INPUT].layer, *NO_METHOD])}
    for name in OURS:
        parts = METHODS[name].motion_guided, METHODS[name].temporal_decoder
        labels[name] = " | ".join([METHODS[name].layer, *(MARKS[part] for part in parts)])
    shown = {name: rows[name] for name in (INPUT, *OURS) if name in rows}
    return table.markdown(shown, labels, " | ".join(HEAD), rivals=(INPUT,))
