"""Results as Markdown tables, methods as rows, the best of each column in bold; and their mean over clips."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

Row = Mapping[str, float | None]


@dataclass(frozen=True)
class Column:
    """One metric's heading, decimals, and how far a value is from the best one (None: no better or worse)."""

    heading: str
    decimals: int
    badness: Callable[[float], float] | None


COLUMNS = {
    "psnr": Column("PSNR ↑", 2, lambda v: -v),
    "ssim": Column("SSIM ↑", 4, lambda v: -v),
    "lpips": Column("LPIPS(VGG) ↓", 4, lambda v: v),
    "lpips_alex": Column("LPIPS(Alex) ↓", 4, lambda v: v),
    "dists": Column("DISTS ↓", 4, lambda v: v),
    "niqe": Column("NIQE ↓", 3, lambda v: v),
    "brisque": Column("BRISQUE ↓", 2, lambda v: v),
    "we": Column("WE ↓", 3, lambda v: v),
    "we_border_ratio": Column("WE border÷inside ↓", 3, lambda v: v),
    "sharpness": Column("sharpness", 4, None),
    "sharpness_ratio": Column("sharpness ratio →1", 3, lambda v: abs(v - 1)),
}


def mean_rows(clips: Iterable[Mapping[str, Row]]) -> dict[str, dict[str, float | None]]:
    """Return each method's mean over the clips, metric by metric; None where a clip lacks the number."""
    clips = list(clips)
    return {method: {name: _mean([c[method][name] for c in clips]) for name in COLUMNS} for method in clips[0]}


def markdown(rows: Mapping[str, Row], labels: Mapping[str, str] | None = None, heading: str = "method") -> str:
    """Return one table; a column that no method has a number for is left out. labels may hold several cells, by ` | `."""
    names = [name for name in COLUMNS if any(row[name] is not None for row in rows.values())]
    best = {name: _best(name, rows) for name in names}
    head = [*heading.split(" | "), *(COLUMNS[name].heading for name in names)]
    lines = [head, ["---"] * len(head)]
    for method, row in rows.items():
        lines.append([(labels or {}).get(method, method), *(_cell(name, row[name], best[name]) for name in names)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _mean(values: list[float | None]) -> float | None:
    return None if None in values else float(np.mean(values))


def _best(name: str, rows: Mapping[str, Row]) -> str | None:
    """Return how the best value of a column is printed: equal to the eye is equally good."""
    column, values = COLUMNS[name], [row[name] for row in rows.values() if row[name] is not None]
    if column.badness is None or len(values) < 2:
        return None
    return f"{min(values, key=column.badness):.{column.decimals}f}"


def _cell(name: str, value: float | None, best: str | None) -> str:
    if value is None:
        return "–"
    text = f"{value:.{COLUMNS[name].decimals}f}"
    return f"**{text}**" if text == best else text
