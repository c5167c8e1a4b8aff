"""The ablation switchboard: motion-guided sampling × temporal decoder from the same noise, the paper's Table 3 on any clip."""

from __future__ import annotations

from mgld.methods import METHODS, OURS
from mgld.ui import words
from mgld.ui.work import Work


def markdown(work: Work | None) -> str:
    """Return Table 3 of the visitor's clip, or what to do to get it."""
    if work is None or work.table is None or not set(OURS) <= set(work.table.rows):
        return words.ABLATION_EMPTY
    names = list(next(iter(work.table.rows.values())))
    lines = ["| " + " | ".join([*words.ABLATION_HEAD, *names]) + " |", "|---" * (len(names) + 3) + "|"]
    for name in OURS:
        parts = METHODS[name].motion_guided, METHODS[name].temporal_decoder
        marks = ["✓" if part else "–" for part in parts]
        figures = [words.figure(work.table.rows[name][n]) for n in names]
        lines.append("| " + " | ".join([words.LAYERS[name], *marks, *figures]) + " |")
    return "\n".join(lines) + "\n\n" + words.BLUR_NOTE
