"""Golden 04 and 09: flow operations and flow networks give what the published modules give."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor, nn

from mgld.flow import ops
from mgld.flow.raft import Raft, correlation_pyramid, lookup
from mgld.flow.spynet import SpyNet
from tests.parity import golden
from tests.parity.golden import close, layers_of


def fill(net: nn.Module, seed: int, kept: tuple[str, ...] = ("num_batches_tracked",)) -> nn.Module:
    """Load procedural weights into every tensor whose name does not end as one of kept."""
    own = net.state_dict()
    state = golden.procedural_state({k: v.shape for k, v in own.items() if not k.endswith(kept)}, seed)
    net.load_state_dict(own | state)
    return net.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def flow_ops() -> dict[str, Tensor]:
    return golden.load("04_flow_ops")[0]


@pytest.fixture(scope="module")
def networks() -> tuple[dict[str, Tensor], dict]:
    return golden.load("09_flow_nets_io")


def frames(tensors: dict[str, Tensor], suffix: str = "") -> tuple[Tensor, Tensor]:
    return tensors[f"u8.im1{suffix}"] / 255, tensors[f"u8.im2{suffix}"] / 255


@pytest.mark.parametrize("padding", ["zeros", "border"])
def test_warp(flow_ops: dict[str, Tensor], padding: str) -> None:
    ours = ops.warp(flow_ops["x"], flow_ops["flow_i_to_next"], padding)
    close(ours, flow_ops[f"warp_{padding}"])


def test_warp_of_the_second_published_function(flow_ops: dict[str, Tensor]) -> None:
    close(ops.warp(flow_ops["x"], flow_ops["flow_i_to_next"]), flow_ops["warp_zeros_utilflow"])


def test_in_bounds(flow_ops: dict[str, Tensor]) -> None:
    theirs = flow_ops["warp_inside_mask"]
    assert torch.equal(ops.in_bounds(flow_ops["flow_i_to_next"]).expand_as(theirs), theirs)


def test_occlusion(flow_ops: dict[str, Tensor]) -> None:
    on_frame, on_next = ops.occlusion(flow_ops["flow_i_to_next"], flow_ops["flow_next_to_i"])
    assert torch.equal(on_frame[:, 0], flow_ops["fwd_occ"])
    assert torch.equal(on_next[:, 0], flow_ops["bwd_occ"])


def test_resize_flow(flow_ops: dict[str, Tensor]) -> None:
    wanted = [key for key in flow_ops if key.startswith("resize_")]
    assert wanted
    for key in wanted:
        ours = ops.resize_flow(flow_ops["flow_big"], tuple(flow_ops[key].shape[-2:]))
        close(ours, flow_ops[key])


def test_spynet(networks: tuple[dict[str, Tensor], dict]) -> None:
    tensors, meta = networks
    net = fill(SpyNet(), meta["weight_seed"], ("mean", "std"))
    runs = [re.fullmatch(r"spynet\.flow(_odd)?_stride(\d+)", key) for key in tensors]
    assert any(runs)
    for run in filter(None, runs):
        stride = int(run[2])
        close(net(*frames(tensors, run[1] or ""))[..., ::stride, ::stride], tensors[run[0]], layers_of(net))


@pytest.mark.parametrize("size", ["normal", "small"])
def test_raft_encoders(networks: tuple[dict[str, Tensor], dict], size: str) -> None:
    tensors, meta = networks
    net = fill(Raft(small=size == "small"), meta["weight_seed"])
    first, _ = frames(tensors)
    for encoder, name in ((net.fnet, "fmap1"), (net.cnet, "cnet")):
        key = next(k for k in tensors if k.startswith(f"raft_{size}.{name}_ch0-"))
        close(encoder(first)[:, : tensors[key].shape[1]], tensors[key], layers_of(encoder))


@pytest.mark.parametrize("size", ["normal", "small"])
def test_raft(networks: tuple[dict[str, Tensor], dict], size: str) -> None:
    tensors, meta = networks
    net = fill(Raft(small=size == "small", input_range="published"), meta["weight_seed"])
    runs = [re.fullmatch(rf"raft_{size}\.flow_it(\d+)(_odd)?_stride(\d+)", key) for key in tensors]
    assert any(runs)
    for run in filter(None, runs):
        net.iterations, stride = int(run[1]), int(run[3])
        ours = net(*frames(tensors, run[2] or ""))[..., ::stride, ::stride]
        close(ours, tensors[run[0]], layers_of(net.fnet, net.cnet) + net.iterations * layers_of(net.update_block))


def test_raft_takes_ten_iterations(networks: tuple[dict[str, Tensor], dict]) -> None:
    assert Raft().iterations == networks[1]["raft_default_iters"]


def test_raft_correlation() -> None:
    tensors, _ = golden.load("09b_raft_corr")
    key = next(k for k in tensors if k.startswith("corr_"))
    radius, levels, stride = (int(n) for n in re.fullmatch(r"corr_r(\d+)_l(\d+)_stride(\d+)", key).groups())
    pyramid = correlation_pyramid(tensors["fmap1"], tensors["fmap2"], levels)
    close(lookup(pyramid, tensors["coords"], radius)[..., ::stride, ::stride], tensors[key])
