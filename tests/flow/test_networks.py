"""Flow networks: sizes, loading and conversion of their weights."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from mgld import host
from mgld.errors import UserError
from mgld.flow import load_flow, ops
from mgld.flow.motion import where_weights_are
from mgld.flow.raft import Raft
from mgld.flow.spynet import SpyNet
from tests.flow.test_motion import sliding


@pytest.mark.slow
@pytest.mark.parametrize("size_hw", [(16, 16), (40, 24), (127, 16), (129, 136)])
def test_any_size_gives_finite_flow(size_hw: tuple[int, int]) -> None:
    torch.manual_seed(0)
    a, b = torch.rand(2, 2, 3, *size_hw)
    for net in (SpyNet().eval(), Raft(iterations=2).eval(), Raft(small=True, iterations=2).eval()):
        with torch.no_grad():
            flow_px = net(a, b)
        assert flow_px.shape == (2, 2, *size_hw) and flow_px.isfinite().all()


@pytest.mark.slow
def test_pairs_do_not_see_each_other() -> None:
    torch.manual_seed(0)
    a, b = torch.rand(2, 2, 3, 64, 64)
    for net in (SpyNet().eval(), Raft(iterations=2).eval()):
        with torch.no_grad():
            torch.testing.assert_close(net(a, b)[1:], net(a[1:], b[1:]), atol=1e-4, rtol=1e-4)


def test_ranges_of_raft_differ_as_named() -> None:
    torch.manual_seed(0)
    a, b = torch.rand(2, 1, 3, 128, 128)
    net = Raft(iterations=1).eval()
    with torch.no_grad():
        trained = net(a, b)
        net.input_range = "published"
        torch.testing.assert_close(net(2 * a - 1, 2 * b - 1), trained)
        assert not torch.equal(net(a, b), trained)


@pytest.mark.parametrize("network", [SpyNet, partial(Raft, iterations=1)])
def test_frames_go_to_where_the_weights_are(network: Callable[[], nn.Module]) -> None:
    with torch.device("meta"):
        net = network().eval()
    a, b = torch.rand(2, 1, 3, 128, 128)
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta"):  # the one device that gives nothing back
        net(a, b)


def test_flow_comes_back_to_where_the_frames_are() -> None:
    net = Elsewhere()
    assert net(*torch.zeros(2, 1, 3, 8, 8)).device.type == "cpu" and net.seen == ["meta", "meta"]


class Elsewhere(nn.Module):
    """A flow network on a device that holds no frame; it finds that nothing moves."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, device="meta"))
        self.seen: list[str] = []

    @where_weights_are
    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        self.seen = [a.device.type, b.device.type]
        return torch.zeros(len(a), 2, *a.shape[-2:])


def test_public_key_names() -> None:
    keys = set(Raft().state_dict())
    assert {"cnet.layer2.0.norm3.running_mean", "cnet.layer2.0.downsample.1.running_mean"} <= keys
    assert {"update_block.gru.convz2.weight", "update_block.mask.2.bias", "fnet.layer3.1.conv2.weight"} <= keys
    assert {"mean", "std", "basic_module.5.basic_module.8.bias"} <= set(SpyNet().state_dict())


@pytest.mark.parametrize("name", ["spynet", "raft"])
def test_shipped_weights_follow_a_known_shift(name: str) -> None:
    clip = sliding(2, 128, 160, 5)
    flow_px = load_flow(name, "cpu")(clip[:1], clip[1:])
    error = (flow_px - torch.tensor([-5.0, 0.0]).view(1, 2, 1, 1)).norm(dim=1)
    assert error[..., 8:-8, 16:-16].mean() < 0.5
    assert (ops.warp(clip[1:], flow_px, "border") - clip[:1]).abs().mean() < 0.25 * (clip[1] - clip[0]).abs().mean()


@pytest.mark.parametrize("name", ["spynet", "raft"])
def test_shipped_shards_are_small_and_say_where_they_come_from(name: str) -> None:
    shards = sorted((host.MODELS / "flow").glob(f"{name}*.safetensors"))
    assert shards
    for shard in shards:
        assert shard.stat().st_size < 10_000_000
        with safe_open(shard, "pt") as file:
            assert set(file.metadata()) == {"source", "sha256", "licence"}


@pytest.mark.parametrize("name", ["spynet", "raft"])
def test_absent_weights_say_how_to_get_them(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(host, "MODELS", tmp_path)
    with pytest.raises(UserError, match=f"python -m mgld convert flow {name} FILE"):
        load_flow(name, "cpu", tmp_path)


def test_unknown_name_is_refused() -> None:
    with pytest.raises(UserError, match="dis, spynet, raft"):
        load_flow("pwc", "cpu")


def test_broken_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "spynet.safetensors").write_bytes(b"no weights")
    with pytest.raises(UserError, match="cannot be used"):
        load_flow("spynet", "cpu", tmp_path)


@pytest.mark.slow
def test_flow_imports_no_opencv_before_it_is_asked_for() -> None:
    code = "import sys, mgld.flow; assert 'cv2' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=host.ASSETS.parent)
