"""The paper's Table 3: motion-guided sampling × temporal decoder, from the same noise, on any clips."""

from __future__ import annotations

from collections.abc import Mapping

from mgld.methods import METHODS, OURS
from mgld.metrics import table

HEAD = ("method", "motion-guided sampling", "temporal decoder")
MARKS = {True: "✓", False: "–"}


def table_3(rows: Mapping[str, Mapping[str, float | None]]) -> str | None:
    """Return Table 3 of figures by method and metric key; None unless all four combinations are there."""
    if not set(OURS) <= set(rows):
        return None
    labels = {}
    for name in OURS:
        parts = METHODS[name].motion_guided, METHODS[name].temporal_decoder
        labels[name] = " | ".join([METHODS[name].layer, *(MARKS[part] for part in parts)])
    return table.markdown({name: rows[name] for name in OURS}, labels, " | ".join(HEAD))
