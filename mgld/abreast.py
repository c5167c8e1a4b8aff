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
    """Return work(*inputs) for the inputs of every frame, in order and without gradients; the one that is `alone` has all cores.

    What comes of a frame depends on whether it is that one, to rounding, and on no other frame. Frames on another device than a CPU
    are worked on one by one.
    """
    threads, odd = torch.get_num_threads(), alone(len(frames))

    def one(inputs: tuple[Any, ...]) -> Any:
        with torch.no_grad():  # a thread has modes of its own
            return work(*inputs)

    elsewhere = any(isinstance(x, torch.Tensor) and x.device.type != "cpu" for inputs in frames[:1] for x in inputs)
    if threads < ABREAST or elsewhere:
        return [one(inputs) for inputs in frames]
    paired = [inputs for i, inputs in enumerate(frames) if i != odd]
    made = list(_workers(os.getpid(), threads).map(one, paired)) if paired else []
    return made if odd is None else [*made[:odd], one(frames[odd]), *made[odd:]]


def alone(count: int) -> int | None:
    """Return which of so many frames has no other beside it: the middle one, since segments share those at their ends."""
    return count // 2 if count % ABREAST else None


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
