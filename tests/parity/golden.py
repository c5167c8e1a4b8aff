"""Read the golden tensors, make the weights they were computed with, and say how far rounding may lead away from them."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

FOLDER = Path(os.environ.get("MGLD_GOLDEN_DIR", Path(__file__).resolve().parent.parent / "golden"))

ROUNDING = (nn.Linear, _ConvNd, nn.GroupNorm, nn.LayerNorm, _NormBase)
# A layer of unit gain moves what passes by about one unit in the last place, at random, so `layers` of them move it by √layers.
# The golden side was rounded too, in another order, hence √2; and the farthest of 10⁵ numbers lies 4.5 deviations out, hence 8
# with a margin of a quarter. Measured over AVX-512, AVX2, AVX and SSE: at most 5.2 (instance norms), 3 elsewhere.
UNITS = 8


def load(name: str) -> tuple[dict[str, Tensor], dict]:
    """Return the tensors and the metadata of one golden file; an absent one is a failure, never a skip."""
    path = FOLDER / f"{name}.safetensors"
    if not path.is_file():
        raise AssertionError(f"The golden file {path} is missing: restore tests/golden or set MGLD_GOLDEN_DIR.")
    with safe_open(path, "pt") as file:
        names = file.keys()  # the file itself cannot be iterated in every release
        return {name: file.get_tensor(name) for name in names}, json.loads((file.metadata() or {}).get("json", "{}"))


def layers_of(*nets: nn.Module) -> int:
    """Count the layers that round on the way through networks."""
    return sum(isinstance(module, ROUNDING) for net in nets for module in net.modules())


def bound(theirs: Tensor, layers: int = 1) -> float:
    """Return how far two float32 evaluations of that many layers may lie apart: 8·√layers units in the last place of the peak."""
    return UNITS * layers**0.5 * torch.finfo(torch.float32).eps * float(theirs.abs().max())


def close(ours: Tensor, theirs: Tensor, layers: int = 1) -> None:
    """Compare what went through that many layers here and there."""
    torch.testing.assert_close(ours, theirs, atol=bound(theirs, layers), rtol=0)


def procedural_state(shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, Tensor]:
    """Return the state dict {key: float32 of that shape} of the recipe in the golden README."""
    return {key: _weights(key, tuple(shape), seed) for key, shape in shapes.items()}


def _weights(key: str, shape: tuple[int, ...], seed: int) -> Tensor:
    """Draw one tensor; rounding to half precision first makes stored fp16 weights equal bit for bit."""
    random = np.random.RandomState((zlib.crc32(key.encode()) + seed) % 2**32)
    if key.endswith("temporal_alpha"):
        value = 0.3 + 0.4 * random.random_sample(shape)
    elif key.endswith("running_var"):
        value = 0.75 + 0.5 * random.random_sample(shape)
    else:
        value = random.standard_normal(shape)
        if len(shape) >= 2:
            value = value / np.sqrt(np.prod(shape[1:]))
        elif len(shape) == 1 and key.endswith("weight"):
            value = 1 + 0.2 * value
        else:
            value = 0.2 * value
    return torch.from_numpy(np.asarray(value).astype(np.float16).astype(np.float32))
