"""Results as Markdown tables, methods as rows, the best of each column in bold; and their mean over clips."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from mgld.metrics.catalogue import METRICS, Metric

Row = Mapping[str, Any]  # figures by key: a number, or None where it is unknown
Means = dict[str, dict[str, float | None]]
BESIDE_FIGURES = ("we_pairs", "segment_borders", "seconds")  # what a report says of a clip that is no figure of it


def mean_rows(clips: Iterable[Mapping[str, Row]]) -> Means:
    """Return each method's mean over the clips, metric by metric; None where a clip lacks the number."""
    clips = list(clips)
    return {method: {key: _mean([c[method][key] for c in clips]) for key in METRICS} for method in clips[0]}


def columns(rows: Mapping[str, Row]) -> list[Metric]:
    """Return the figures that some row has a number for, in the order of the first row; KeyError for one that is unknown."""
    keys = [key for key in next(iter(rows.values())) if key not in BESIDE_FIGURES]
    return [METRICS[key] for key in keys if any(row[key] is not None for row in rows.values())]


def markdown(
    rows: Mapping[str, Row],
    labels: Mapping[str, str] | None = None,
    heading: str = "method",
    unranked: Collection[str] = (),
    rivals: Collection[str] = (),
) -> str:
    """Return one table. labels may hold several cells, by ` | `.

    Neither unranked rows nor rivals are marked as the best; where a rival is better than every other row, nothing is.
    """
    shown, head = columns(rows), heading.split(" | ")
    lines = [[*head, *(m.heading for m in shown)], [*["---"] * len(head), *["---:"] * len(shown)]]
    for name, cells in marked(rows, unranked, rivals).items():
        texts = (f"**{text}**" if is_best else text for text, is_best in cells)
        lines.append([(labels or {}).get(name, name), *texts])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def marked(
    rows: Mapping[str, Row], unranked: Collection[str] = (), rivals: Collection[str] = ()
) -> dict[str, list[tuple[str, bool]]]:
    """Return each row's cells in the order of columns(): how the figure is written, and whether it is the best of its column."""
    shown, best = columns(rows), _best_texts(rows, unranked, rivals)
    ranked = rows.keys() - {*unranked, *rivals}
    texts = {name: [(m.key, m.text(row[m.key])) for m in shown] for name, row in rows.items()}
    return {n: [(text, n in ranked and text == best[key]) for key, text in cells] for n, cells in texts.items()}


def _best_texts(rows: Mapping[str, Row], unranked: Collection[str], rivals: Collection[str]) -> dict[str, str | None]:
    """Return how the best of each column is written; None where a rival is better, or where nothing competes."""
    beside, best = {*unranked, *rivals}, {}
    for metric in columns(rows):
        best[metric.key] = _best_text(metric, [row[metric.key] for name, row in rows.items() if name not in beside])
        theirs = [rows[name][metric.key] for name in rivals if name in rows]
        if best[metric.key] is not None and _is_beaten(metric, rows, beside, theirs):
            best[metric.key] = None
    return best


def _best_text(metric: Metric, values: Iterable[float | None]) -> str | None:
    """Return how the best of at least two values is written: equal to the eye is equally good."""
    known = [value for value in values if value is not None]
    return metric.text(min(known, key=metric.badness)) if len(known) > 1 else None


def _is_beaten(
    metric: Metric, rows: Mapping[str, Row], beside: Collection[str], rivals: Iterable[float | None]
) -> bool:
    own = [row[metric.key] for name, row in rows.items() if name not in beside and row[metric.key] is not None]
    return any(r is not None and metric.badness(r) < min(map(metric.badness, own)) for r in rivals)


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None
