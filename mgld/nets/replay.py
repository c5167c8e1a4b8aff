"""CUDA graphs: a function's launches recorded once per shape, then replayed without the time that Python takes for each."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

log = logging.getLogger(__name__)

WARM_UP = 2  # runs before a recording: libraries choose their kernels and Triton compiles ours, which no graph can hold


class Recording(NamedTuple):
    """A recorded call: what it reads, what it writes, and how to do it again."""

    inputs: tuple[Tensor, ...]
    output: Tensor
    again: Callable[[], None]


class Recorder(Protocol):
    """What makes recordings of calls whose inputs are on its kind of device."""

    device_type: str

    def record(self, function: Callable[..., Tensor], inputs: tuple[Tensor, ...], options: tuple) -> Recording:
        """Return a recording of function(*inputs, *options), which reads these very inputs again."""


class Replay:
    """A function of tensors and options, replayed where its inputs are on CUDA, called elsewhere.

    At most `most` recordings are kept, the ones used last; 0 switches recording off. Weights are read where they lay when a call
    was recorded, so each of `modules` that has moved since makes a new recording. A call that cannot be recorded is logged, and
    made without.
    """

    def __init__(
        self,
        function: Callable[..., Tensor],
        modules: tuple[nn.Module, ...],
        most: int,
        recorder: Recorder | None = None,
    ) -> None:
        self.most = most
        self._function, self._modules = function, modules
        self._recorder = recorder or CudaRecorder()
        self._recordings: OrderedDict[Hashable, Recording] = OrderedDict()
        self._refused: set[Hashable] = set()

    def __call__(self, inputs: tuple[Tensor, ...], options: tuple) -> Tensor:
        """Return function(*inputs, *options), a tensor that later calls leave alone."""
        if not self.most or inputs[0].device.type != self._recorder.device_type:
            return self._function(*inputs, *options)
        key = self._key(inputs, options)
        recording = self._recordings.get(key) or self._new(key, inputs, options)
        if recording is None:
            return self._function(*inputs, *options)
        self._recordings.move_to_end(key)
        for kept, given in zip(recording.inputs, inputs, strict=True):
            kept.copy_(given)
        recording.again()
        return recording.output.clone()

    def __len__(self) -> int:
        """Count the recordings that are kept."""
        return len(self._recordings)

    def forget(self) -> bool:
        """Give back the memory of all recordings; tell whether there was any."""
        had = bool(self._recordings)
        self._recordings.clear()
        return had

    def _key(self, inputs: tuple[Tensor, ...], options: tuple) -> Hashable:
        places = tuple(next(module.parameters()).data_ptr() for module in self._modules)
        return options, places, tuple((x.shape, x.dtype, x.device) for x in inputs)

    def _new(self, key: Hashable, inputs: tuple[Tensor, ...], options: tuple) -> Recording | None:
        """Record a call and keep it in place of the one used longest ago; None if that fails, now and from now on."""
        if key in self._refused:
            return None
        while len(self._recordings) >= self.most:
            self._recordings.popitem(last=False)
        try:
            own = tuple(torch.empty_like(x, memory_format=torch.contiguous_format).copy_(x) for x in inputs)
            recording = self._recorder.record(self._function, own, options)
        except RuntimeError as error:  # out of memory is one, too
            log.warning("The denoising step runs without a CUDA graph, and slower: %s", error)
            self.forget()
            self._refused.add(key)
            return None
        self._recordings[key] = recording
        return recording


class CudaRecorder:
    """Record calls as CUDA graphs that share one pool of memory: only one of them runs at a time."""

    device_type = "cuda"

    def __init__(self) -> None:
        self._pool: tuple[int, int] | None = None

    def record(self, function: Callable[..., Tensor], inputs: tuple[Tensor, ...], options: tuple) -> Recording:
        """Return a graph of function(*inputs, *options)."""
        with torch.cuda.device(inputs[0].device):
            self._pool = self._pool or torch.cuda.graph_pool_handle()
            self._warm_up(function, inputs, options)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
                output = function(*inputs, *options)
        return Recording(inputs, output, graph.replay)

    def _warm_up(self, function: Callable[..., Tensor], inputs: tuple[Tensor, ...], options: tuple) -> None:
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP):
                function(*inputs, *options)
        torch.cuda.current_stream().wait_stream(aside)
