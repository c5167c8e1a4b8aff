"""Conversion of the flow networks' published weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mgld.convert.flow import convert_flow
from mgld.errors import UserError
from mgld.flow import NETWORKS, load_flow
from mgld.flow.spynet import SpyNet


@pytest.mark.parametrize(("name", "prefix"), [("raft", "module."), ("spynet", "spynet."), ("spynet", "")])
def test_conversion_keeps_the_weights(name: str, prefix: str, tmp_path: Path) -> None:
    net = NETWORKS[name]()
    state = {prefix + key: value for key, value in net.state_dict().items()}
    if prefix == "spynet.":
        state["conv_last.weight"] = torch.zeros(3)  # the rest of BasicVSR
    torch.save({"params": state} if not prefix else state, tmp_path / "source.pth")
    paths = convert_flow(name, tmp_path / "source.pth", tmp_path / "out")
    assert all(path.stat().st_size < 10_000_000 for path in paths)
    loaded = load_flow(name, "cpu", tmp_path / "out").state_dict()
    for key, value in net.state_dict().items():
        torch.testing.assert_close(loaded[key], value, atol=1e-3, rtol=1e-3)


def test_conversion_names_the_key_that_is_wrong(tmp_path: Path) -> None:
    state = SpyNet().state_dict()
    torch.save(state | {"mean": torch.zeros(7)}, tmp_path / "shape.pth")
    first = next(key for key in state if key not in ("mean", "std"))  # constants, which public files leave out
    state.pop(first)
    torch.save(state, tmp_path / "key.pth")
    with pytest.raises(UserError, match="mean has another shape"):
        convert_flow("spynet", tmp_path / "shape.pth", tmp_path)
    with pytest.raises(UserError, match=f"{first} is missing"):
        convert_flow("spynet", tmp_path / "key.pth", tmp_path)
    with pytest.raises(UserError):
        convert_flow("spynet", tmp_path / "absent.pth", tmp_path)
    assert not list(tmp_path.glob("*.safetensors"))


def test_conversion_does_not_run_pickled_code(tmp_path: Path) -> None:
    torch.save({"mean": Path}, tmp_path / "evil.pth")
    with pytest.raises(UserError, match="tensors only"):
        convert_flow("spynet", tmp_path / "evil.pth", tmp_path)
