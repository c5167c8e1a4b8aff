"""Checkpoints are opened without running anything: leftovers of training are stepped over, code is refused."""

from __future__ import annotations

import argparse
import os
import pickle
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from mgld.__main__ import main
from mgld.convert.checkpoint import open_checkpoint
from mgld.errors import UserError


class Marks:
    """A pickle of this writes a file when it is opened without care."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.call


@pytest.fixture
def lightning(monkeypatch):
    """Make classes that look as if they came from Lightning and omegaconf, which are not installed here."""
    made = {}
    for module, names in {
        "pytorch_lightning.callbacks.model_checkpoint": ("ModelCheckpoint",),
        "pytorch_lightning.utilities.parsing": ("AttributeDict",),
        "omegaconf.listconfig": ("ListConfig",),
    }.items():
        parts = module.split(".")
        for package in (".".join(parts[: i + 1]) for i in range(len(parts))):
            monkeypatch.setitem(sys.modules, package, sys.modules.get(package, types.ModuleType(package)))
        for name in names:
            made[name] = type(name, (dict,) if name.endswith("Dict") else (), {"__module__": module})
            setattr(sys.modules[module], name, made[name])
    return made


def test_what_lightning_leaves_is_stepped_over(tmp_path, lightning, monkeypatch):
    config = lightning["ListConfig"]()
    config.content = [1, 2]
    torch.save(
        {
            "state_dict": {"a": torch.arange(3.0)},
            "callbacks": {lightning["ModelCheckpoint"]: {"best": np.float64(0.5), "path": Path("x")}},
            "hyper_parameters": lightning["AttributeDict"](lr=1e-4, args=argparse.Namespace(gpus=8)),
            "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(3)}}, "config": config}],
            "loops": {1, 2},
        },
        tmp_path / "last.ckpt",
    )
    for module in [name for name in sys.modules if name.startswith(("pytorch_lightning", "omegaconf"))]:
        monkeypatch.delitem(sys.modules, module)  # as on a machine without them
    opened = open_checkpoint(tmp_path / "last.ckpt")
    assert opened.tensors["a"].tolist() == [0, 1, 2]
    assert opened.beside == ("callbacks", "hyper_parameters", "optimizer_states", "loops")


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before 1.6"])
@pytest.mark.parametrize("place", ["beside", "state", "whole"])
def test_code_is_refused_and_has_not_run(tmp_path, place, zipped):
    marker = tmp_path / "marker"
    code = Marks(os.system, f"touch {marker}")
    stored = {
        "beside": {"state_dict": {"a": torch.zeros(1)}, "callbacks": code},
        "state": {"state_dict": {"a": torch.zeros(1), "b": code}},
        "whole": code,
    }[place]
    torch.save(stored, tmp_path / "evil.ckpt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match="evil.ckpt cannot be used"):
        open_checkpoint(tmp_path / "evil.ckpt")
    words = ["convert", "sd21", "--mgld-unet", str(tmp_path / "evil.ckpt"), "--mgld-vae", str(tmp_path / "evil.ckpt")]
    assert main([*words, str(tmp_path / "out")]) == 1
    assert not marker.exists() and not (tmp_path / "out").exists()
    pickle.loads(pickle.dumps(code))
    assert marker.exists()  # so the trap was a trap


@pytest.mark.parametrize(
    "function",
    [eval, exec, getattr, __import__, torch.load, torch.hub.load, np.load, pickle.loads],
    ids=lambda f: f.__name__,
)
def test_functions_are_never_taken_for_leftovers(tmp_path, function):
    torch.save({"state_dict": {}, "extra": Marks(function, "x")}, tmp_path / "evil.ckpt")
    with pytest.raises(UserError, match="could run code; nothing in it has been run"):
        open_checkpoint(tmp_path / "evil.ckpt")


def test_files_that_cannot_be_mapped_are_read(tmp_path):
    torch.save({"params": {"a": torch.ones(2)}}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert open_checkpoint(tmp_path / "old.pth").tensors["a"].tolist() == [1, 1]


def cut(path: Path) -> None:
    torch.save({"a": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:2000])


def foreign_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "x")


BROKEN = {
    "empty": (lambda path: path.write_bytes(b""), "it is empty"),
    "page": (lambda path: path.write_text("<!DOCTYPE html><title>Sign in</title>"), "a web page"),
    "pointer": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"), "Git LFS pointer"),
    "cut": (cut, "damaged"),
    "zip": (foreign_zip, "not a PyTorch checkpoint"),
    "list": (lambda path: torch.save([torch.zeros(1)], path), "tensors only"),
    "script": (lambda path: torch.jit.script(torch.nn.Linear(1, 1)).save(str(path)), "not a PyTorch checkpoint"),
}


@pytest.mark.parametrize("kind", list(BROKEN))
def test_a_file_that_is_none_is_told_what_it_is(tmp_path, kind):
    write, said = BROKEN[kind]
    write(tmp_path / "x.ckpt")
    with pytest.raises(UserError, match=said):
        open_checkpoint(tmp_path / "x.ckpt")
