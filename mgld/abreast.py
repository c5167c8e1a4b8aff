"""Frames two abreast on a CPU, each with half of its cores.

One frame's operations are short, and at the end of each all cores wait for the slowest.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import torch

ABREAST = 2  # more would hold the memory of more frames at once


def abreast(work: Callable[..., Any], frames: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Return work(*inputs) for the inputs of every frame, in order and without gradients; an odd one has all cores."""
    threads = torch.get_num_threads()
    pairs = len(frames) // ABREAST * ABREAST if threads >= ABREAST else 0

    def one(inputs: tuple[Any, ...]) -> Any:
        with torch.no_grad():  # a thread has modes of its own
            return work(*inputs)

    made = _workers(os.getpid(), threads).map(one, frames[:pairs]) if pairs else ()
    return [*made, *map(one, frames[pairs:])]


@lru_cache(maxsize=1)
def _workers(process: int, threads: int) -> ThreadPoolExecutor:
    """Start the threads, each with its share of the cores; of a process's own: a fork has none of its parent's threads."""
    ready = threading.Barrier(ABREAST + 1)
    pool = ThreadPoolExecutor(ABREAST, "abreast", _take, (threads // ABREAST,))
    for _ in range(ABREAST):  # the barrier keeps each busy, so that the other is started too
        pool.submit(ready.wait)
    ready.wait()
    torch.set_num_threads(threads)  # what a thread sets is also what threads that are yet to begin will have
    return pool


def _take(cores: int) -> None:
    torch.get_num_threads()  # the first question, not the first answer, is when a thread takes over what others have set
    torch.set_num_threads(cores)
