"""The ablation switchboard: motion-guided sampling × temporal decoder from the same noise, the paper's Table 3 on any clip."""

from __future__ import annotations

from mgld.metrics import table
from mgld.ui import words
from mgld.ui.work import Work

SWITCHES = {  # method → (motion-guided sampling, temporal decoder)
    "per_frame": (False, False),
    "per_frame+mds": (True, False),
    "per_frame+tsd": (False, True),
    "mgld": (True, True),
}


def markdown(work: Work | None) -> str:
    """Return Table 3 of the visitor's clip, or what to do to get it."""
    if work is None or work.table is None or not set(SWITCHES) <= set(work.table.rows):
        return words.ABLATION_EMPTY
    labels = {m: " | ".join([words.LAYERS[m], *("✓" if on else "–" for on in parts)]) for m, parts in SWITCHES.items()}
    rows = {method: work.table.rows[method] for method in SWITCHES}
    return table.markdown(rows, labels, " | ".join(words.ABLATION_HEAD)) + "\n\n" + words.BLUR_NOTE
