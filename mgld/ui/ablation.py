"""The ablation switchboard: motion-guided sampling × temporal decoder from the same noise, the paper's Table 3 on any clip."""

from __future__ import annotations

from mgld.comparison.work import Work
from mgld.methods import METHODS, OURS
from mgld.metrics import table
from mgld.ui import words


def markdown(work: Work | None) -> str:
    """Return Table 3 of the visitor's clip, or what to do to get it."""
    if work is None or work.table is None or not set(OURS) <= set(work.table.rows):
        return words.ABLATION_EMPTY
    parts = {name: (METHODS[name].motion_guided, METHODS[name].temporal_decoder) for name in OURS}
    labels = {m: " | ".join([words.LAYERS[m], *("✓" if on else "–" for on in parts[m])]) for m in OURS}
    rows = {method: work.table.rows[method] for method in OURS}
    return table.markdown(rows, labels, " | ".join(words.ABLATION_HEAD)) + "\n\n" + words.BLUR_NOTE
