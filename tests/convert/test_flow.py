"""Conversion of the flow networks' published weights."""

from __future__ import annotations

import re
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
    with pytest.raises(UserError, match=r"shape.pth, misshapen: 1: mean \(7,"):
        convert_flow("spynet", tmp_path / "shape.pth", tmp_path)
    with pytest.raises(UserError, match=f"key.pth, lacks: 1: {first}"):
        convert_flow("spynet", tmp_path / "key.pth", tmp_path)
    with pytest.raises(UserError):
        convert_flow("spynet", tmp_path / "absent.pth", tmp_path)
    assert not list(tmp_path.glob("*.safetensors"))


def test_conversion_refuses_what_is_no_tensor(tmp_path: Path) -> None:
    torch.save({"mean": 1}, tmp_path / "other.pth")
    with pytest.raises(UserError, match="mean \\(no tensor\\)"):
        convert_flow("spynet", tmp_path / "other.pth", tmp_path)


def torchvision_name(key: str) -> str:
    """Return what torchvision's raft_large calls a tensor of the first authors' RAFT."""
    key = key.replace("fnet.", "feature_encoder.").replace("cnet.", "context_encoder.")
    key = re.sub(r"update_block\.encoder\.conv(c|f)(\d)", motion_layer, key)
    key = key.replace("update_block.encoder.conv.", "update_block.motion_encoder.conv.0.")
    key = re.sub(r"update_block\.gru\.conv([zrq])(\d)", r"update_block.recurrent_block.convgru\2.conv\1", key)
    key = key.replace("update_block.mask.0", "mask_predictor.convrelu.0").replace(
        "update_block.mask.2", "mask_predictor.conv"
    )
    key = re.sub(r"(layer\d\.\d)\.(conv|norm)(\d)", lambda m: f"{m[1]}.convnormrelu{m[3]}.{int(m[2] == 'norm')}", key)
    key = re.sub(r"encoder\.(conv|norm)1\.", lambda m: f"encoder.convnormrelu.{int(m[1] == 'norm')}.", key)
    return key.replace("_encoder.conv2.", "_encoder.conv.")


def motion_layer(match: re.Match) -> str:
    return f"update_block.motion_encoder.conv{'corr' if match[1] == 'c' else 'flow'}{match[2]}.0"


def test_torchvisions_names_are_understood(tmp_path: Path) -> None:
    net = NETWORKS["raft"]()
    state = {torchvision_name(k): v for k, v in net.state_dict().items() if ".norm3." not in k}  # there under one name
    assert {
        "context_encoder.convnormrelu.1.running_var",
        "feature_encoder.layer2.0.downsample.0.weight",
        "feature_encoder.layer1.1.convnormrelu2.0.bias",
        "update_block.motion_encoder.convcorr1.0.weight",
        "update_block.recurrent_block.convgru2.convq.bias",
        "update_block.flow_head.conv2.weight",
        "mask_predictor.convrelu.0.weight",
        "mask_predictor.conv.bias",
        "context_encoder.conv.weight",
    } <= set(state)
    torch.save(state, tmp_path / "raft_large.pth")
    convert_flow("raft", tmp_path / "raft_large.pth", tmp_path / "out")
    loaded = load_flow("raft", "cpu", tmp_path / "out").state_dict()
    for key, value in net.state_dict().items():
        torch.testing.assert_close(loaded[key], value, atol=1e-3, rtol=1e-3)
