"""Which device and precision to compute with."""

from __future__ import annotations

import threading
from functools import cache

import torch
from torch import Tensor

from mgld import errors

# Held while a network is made: while diffusers loads one, its precision is the process' default, which a network made meanwhile
# would have too; of two loaded at once, the second would put the first one's back for good.
OPENING = threading.RLock()


def device_of(name: str) -> str:
    """Return the device of that name, the fastest for "auto"; raise UserError if this machine has no such device."""
    name = best_device() if name == "auto" else name
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise errors.device_unusable(name, "this machine, or this build of torch, does not have it") from error
    return name


def best_device() -> str:
    """Name the fastest device of this machine."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def best_dtype(device: str) -> str:
    """Name the fastest dtype that is exact enough: half on CUDA, bfloat16 on CPUs with such instructions, else float32.

    oneDNN "supports" bfloat16 wherever AVX-512 is, but emulates it where such instructions are absent, five times slower.
    """
    if device.startswith("cuda"):
        return "float16"
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bfloat16" if native else "float32"


@cache
def constant(values: tuple[float, ...], device: torch.device, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return these numbers on the device, [N], copied there once: the host's next launch would wait for every copy, and a CUDA
    graph may hold none. Not to be written to."""
    with torch.inference_mode(False):
        return torch.tensor(values, dtype=dtype, device=device)
