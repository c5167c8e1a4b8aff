"""Where a clip begins when it is asked for from some second on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TypeVar

NEAREST_S = 0.1  # a picture this near to the wanted second begins at its own time; one held longer is cut

Picture = TypeVar("Picture")


def from_start(pictures: Iterator[tuple[Picture, float, float]], start_s: float) -> Iterator[tuple[Picture, float]]:
    """Yield (picture, seconds) of (picture, begin, stated end) from the one nearest to start_s on.

    A picture that is held for long (slides) is cut: it begins at start_s, so that what follows keeps its distance.
    """
    held = None
    for picture, begin_s, end_s in pictures:
        if held is not None and not _is_past(held[1], begin_s, start_s):
            yield held[0], _begin(held[1], start_s)
            held, start_s = None, float("-inf")
        if begin_s >= start_s:
            yield picture, begin_s
            held, start_s = None, float("-inf")
        else:
            held = picture, begin_s, end_s
    if held is not None and not _is_past(held[1], held[2], start_s):
        yield held[0], _begin(held[1], start_s)


def first_shown_s(begins_s: Sequence[float], start_s: float) -> float:
    """Return when the first picture that from_start yields begins; begins_s grow."""
    for begin_s, next_s in pairwise(begins_s):
        if begin_s >= start_s or not _is_past(begin_s, next_s, start_s):
            return _begin(begin_s, start_s)
    return _begin(begins_s[-1], start_s)


def _is_past(begin_s: float, next_s: float, start_s: float) -> bool:
    """Say whether the next picture is nearer to start_s than one that begins at begin_s."""
    return next_s <= start_s + min((next_s - begin_s) / 2, NEAREST_S)


def _begin(begin_s: float, start_s: float) -> float:
    return start_s if start_s - begin_s > NEAREST_S else begin_s
