"""A training step recorded as a CUDA graph: small networks spend their time on a GPU being launched, not computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from typing import NamedTuple

import torch
from torch import Tensor

WARM_UPS = 3  # calls of each kind before it is recorded: libraries choose their kernels, optimisers make their state

Step = Callable[..., dict[str, Tensor]]


class _Recorded(NamedTuple):
    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]
    figures: dict[str, Tensor]


class Replayed:
    """Call step(kind, *inputs), and where `recorded` is True replay the kernels of its kind instead, from the fourth call on.

    Nothing that Python does in a replayed step happens again: the step must work on the device alone, draw its random numbers
    there, and leave figures that change (rates, shares) to tensors. inputs keep their shapes. The figures that it returns stand
    until the next call of their kind.
    """

    def __init__(self, step: Step, recorded: bool) -> None:
        self._step, self._records = step, recorded
        self._calls: Counter[Hashable] = Counter()
        self._recorded: dict[Hashable, _Recorded] = {}
        self._side = torch.cuda.Stream() if recorded else None  # what is to be recorded has to begin aside

    def __call__(self, kind: Hashable, *inputs: Tensor) -> dict[str, Tensor]:
        self._calls[kind] += 1
        if not self._records:
            return self._step(kind, *inputs)
        if self._calls[kind] <= WARM_UPS:
            return self._aside(kind, inputs)
        if kind not in self._recorded:
            self._recorded[kind] = self._record(kind, inputs)
        graph, places, figures = self._recorded[kind]
        for place, value in zip(places, inputs, strict=True):
            place.copy_(value)
        graph.replay()
        return figures

    def _aside(self, kind: Hashable, inputs: tuple[Tensor, ...]) -> dict[str, Tensor]:
        here = torch.cuda.current_stream()
        self._side.wait_stream(here)
        with torch.cuda.stream(self._side):
            figures = self._step(kind, *inputs)
        here.wait_stream(self._side)
        return figures

    def _record(self, kind: Hashable, inputs: tuple[Tensor, ...]) -> _Recorded:
        places, graph = tuple(value.clone() for value in inputs), torch.cuda.CUDAGraph()
        # "thread_local": the thread that fetches samples goes on meanwhile
        with torch.cuda.graph(graph, stream=self._side, capture_error_mode="thread_local"):
            figures = self._step(kind, *places)
        return _Recorded(graph, places, figures)
