"""Golden 01–03 and 10: the networks give what the published modules give."""

from __future__ import annotations

import re

import pytest
import torch

from mgld.convert import official
from mgld.nets import StructureEncoder, VideoUNet, VideoVAE
from mgld.nets.layers import SFT, FeatureFusion, TemporalAttention, TemporalConv
from tests.parity import golden

PUBLISHED_SFT_WIDTH = 128  # a constant inside the published class


def matching(pattern: str, tensors: dict) -> list[str]:
    """Return the names that match, sorted; a file without any lacks a unit, which is a failure."""
    names = sorted(name for name in tensors if re.fullmatch(pattern, name))
    assert names, f"the golden file holds nothing called {pattern}"
    return names


def close(ours: torch.Tensor, theirs: torch.Tensor, *nets: torch.nn.Module) -> None:
    """Compare what went through these networks."""
    golden.close(ours, theirs, golden.layers_of(*nets))


def fill(net: torch.nn.Module, sources: dict, seed: int) -> None:
    """Load the procedural weights of the published class into ours."""
    state = golden.procedural_state({s.key: s.shape for s in sources.values()}, seed)
    absent = net.load_state_dict(official.convert(state, sources), strict=False)
    assert not absent.unexpected_keys
    assert all(k == "text" or k.startswith(("temporal", "fusion")) for k in absent.missing_keys)


def attention_of(kwargs: dict) -> tuple[bool, ...]:
    return tuple(2**level in kwargs["attention_resolutions"] for level in range(len(kwargs["channel_mult"])))


def unet_of(kwargs: dict) -> VideoUNet:
    return VideoUNet(
        latent_channels=kwargs["in_channels"],
        channels=tuple(m * kwargs["model_channels"] for m in kwargs["channel_mult"]),
        layers_per_block=kwargs["num_res_blocks"],
        attention=attention_of(kwargs),
        head_channels=kwargs["num_head_channels"],
        text_channels=kwargs["context_dim"],
        structure_channels=kwargs["semb_channels"],
    ).eval()


def structure_of(kwargs: dict) -> StructureEncoder:
    return StructureEncoder(
        latent_channels=kwargs["in_channels"],
        channels=tuple(m * kwargs["model_channels"] for m in kwargs["channel_mult"]),
        layers_per_block=kwargs["num_res_blocks"],
        attention=attention_of(kwargs),
        heads=kwargs["num_heads"],
        out_channels=kwargs["out_channels"],
    ).eval()


def vae_of(ddconfig: dict, block: str = "rdb") -> VideoVAE:
    return VideoVAE(
        latent_channels=ddconfig["z_channels"],
        channels=tuple(m * ddconfig["ch"] for m in ddconfig["ch_mult"]),
        layers_per_block=ddconfig["num_res_blocks"],
        fusion_block=block,
    ).eval()


@torch.no_grad()
def test_unet_with_given_structure():
    tensors, meta = golden.load("01a_unet_video_io")
    net = unet_of(meta["kwargs"])
    fill(net, official.unet_sources(net), meta["weight_seed"])
    widths = sorted((int(k.split(".")[1]) for k in tensors if k.startswith("struct.")), reverse=True)
    structure = [tensors[f"struct.{w}"] for w in widths]
    x, text, frames = tensors["x"], tensors["ctx"], meta["num_frames"]
    for name in matching(r"t\d+", tensors):
        close(net(x, tensors[name], structure, frames, text=text), tensors[f"y_{name}"], net)
    for name, parameter in net.named_parameters():
        if name.endswith("temporal_alpha"):
            parameter.zero_()
    for y in matching(r"y_t\d+_alpha0", tensors):
        t = tensors[y.split("_")[1]]
        close(net(x, t, structure, frames, text=text), tensors[y], net)
        close(net(x, t, structure, frames, text=text, temporal=False), tensors[y], net)


@pytest.mark.slow
@torch.no_grad()
def test_unet_and_structure_encoder_of_the_full_layout():
    tensors, meta = golden.load("01b_unet_video_io")
    net, encoder = unet_of(meta["kwargs"]), structure_of(meta["struct_kwargs"])
    fill(net, official.unet_sources(net), meta["weight_seed"])
    fill(encoder, official.structure_sources(encoder), meta["weight_seed"])
    assert sum(p.numel() for p in net.parameters()) == meta["n_params"]
    frames = meta["kwargs"]["num_frames"]
    cases = [re.fullmatch(r"y_(?:(b\d+|nonsquare)_)?(t\d+)", key) for key in tensors]
    cases = [(case[1], case[2], case[0]) for case in cases if case]
    assert {kind for kind, _, _ in cases} >= {None, "nonsquare"}
    for kind, t, y in cases:
        x, latent = (key + (f"_{kind}" if kind else "") for key in ("x", "struct_latent"))
        text = tensors.get(f"ctx_{kind}", tensors["ctx"])
        structure = encoder(tensors[latent], tensors[t])
        close(net(tensors[x], tensors[t], structure, frames, text=text), tensors[y], encoder, net)


@torch.no_grad()
@pytest.mark.parametrize("name", ["02a_structcond_io", "02b_structcond_io"])
def test_structure_encoder(name):
    tensors, meta = golden.load(name)
    net = structure_of(meta["kwargs"])
    fill(net, official.structure_sources(net), meta["weight_seed"])
    compared = 0
    for key, expected in tensors.items():
        if not key.startswith("out_"):
            continue
        case, width = key.removeprefix("out_").split(".")
        latent = tensors["latent_nonsquare" if "nonsquare" in case else "latent"]
        maps = net(latent, tensors[case.removeprefix("nonsquare_")])
        ours = next(m for m in maps if m.shape[-1] == int(width))
        close(ours[: len(expected)], expected, net)
        compared += 1
    assert compared >= 3


@torch.no_grad()
def test_video_autoencoder():
    tensors, meta = golden.load("03_vae_video_io")
    net = vae_of(meta["ddconfig"])
    fill(net, official.vae_sources(net), meta["weight_seed"])
    posterior, features = net.encode(tensors["x"])
    close(posterior.parameters, tensors["moments"], net)
    close(posterior.mode(), tensors["mean"], net)
    close(posterior.logvar, tensors["logvar_clamped"], net)
    for ours, name in zip(features, matching(r"enc_fea\.\d+", tensors), strict=True):
        close(ours, tensors[name], net)
    posterior_nonsquare, features_nonsquare = net.encode(tensors["x_nonsquare"])
    close(posterior_nonsquare.parameters, tensors["moments_nonsquare"], net)
    for y in matching(r"y_(nonsquare_)?w[\d.]+(_alpha0)?", tensors):
        z, seen = ("z_nonsquare", features_nonsquare) if "nonsquare" in y else ("z", features)
        fidelity = float(re.search(r"w([\d.]+)", y)[1])
        ours = net.decode(tensors[z], seen, meta["ddconfig"]["num_frames"], fidelity, temporal="alpha0" not in y)
        close(ours, tensors[y], net)


@pytest.mark.slow
@torch.no_grad()
def test_stablesr_unet_is_ours_without_temporal_layers():
    tensors, meta = golden.load("10a_stablesr_unet_io")
    net, encoder = unet_of(meta["kwargs"]), structure_of(meta["struct_kwargs"])
    fill(net, official.unet_sources(net, stablesr=True), meta["weight_seed"])
    fill(encoder, official.structure_sources(encoder), meta["weight_seed"])
    frames = len(tensors["x"])
    for t in matching(r"t\d+", tensors):
        structure = encoder(tensors["struct_latent"], tensors[t])
        y = net(tensors["x"], tensors[t], structure, frames, temporal=False, text=tensors["ctx"])
        close(y, tensors[f"y_{t}"], encoder, net)


@torch.no_grad()
def test_stablesr_decoders():
    tensors, meta = golden.load("10b_stablesr_vae_io")
    reference, _ = golden.load("03_vae_video_io")
    net = vae_of(meta["ddconfig"], block="rrdb")
    fill(net, official.vae_sources(net, temporal=False), meta["weight_seed"])
    features, frames = [reference[k] for k in matching(r"enc_fea\.\d+", reference)], len(tensors["z"])
    close(net.decode(tensors["z"], features, frames, 0.0, temporal=False), tensors["y_plain_decoder"], net)
    for y in matching(r"y_cfw_w[\d.]+", tensors):
        fidelity = float(y.removeprefix("y_cfw_w"))
        close(net.decode(tensors["z"], features, frames, fidelity, temporal=False), tensors[y], net)


def constructed(meta: dict, module: str, argument: str) -> int:
    """Read an argument of a small module's constructor as the metadata spells the call."""
    return int(re.search(rf"\b{argument}=(\d+)", meta["ctor"][module])[1])


def module_state(net: torch.nn.Module, names: dict[str, str], seed: int) -> dict:
    """Make a bare module's weights: names maps our layer prefix to the published one."""
    theirs = {}
    for ours, tensor in net.state_dict().items():
        prefix = next(p for p in names if ours.startswith(p))
        theirs[ours] = (names[prefix] + ours.removeprefix(prefix), tuple(tensor.shape))
    state = golden.procedural_state(dict(theirs.values()), seed)
    return {ours: state[key] for ours, (key, _) in theirs.items()}


@torch.no_grad()
def test_sft_alone():
    tensors, meta = golden.load("10c_small_modules")
    net = SFT(tensors["spade.h"].shape[1], tensors["spade.cond"].shape[1], PUBLISHED_SFT_WIDTH)
    net.load_state_dict(module_state(net, official.SFT_LAYERS, meta["seed"]))
    close(net(tensors["spade.h"], tensors["spade.cond"]), tensors["spade.out"], net)


@torch.no_grad()
def test_temporal_layers_alone():
    tensors, meta = golden.load("10c_small_modules")
    weights = {k[2:]: v.float() for k, v in tensors.items() if k.startswith("w:")}
    conv = TemporalConv(tensors["tconv.x"].shape[1])
    state = {k.removeprefix("tconv:"): v for k, v in weights.items() if k.startswith("tconv:")}
    state["temporal_conv.weight"] = state["temporal_conv.weight"][..., 0, 0]
    conv.load_state_dict(state)
    attention = TemporalAttention(tensors["tattn.x"].shape[1], heads=constructed(meta, "tattn", "num_heads"))
    attention.load_state_dict({k.removeprefix("tattn:"): v for k, v in weights.items() if k.startswith("tattn:")})
    close(conv(tensors["tconv.x"], constructed(meta, "tconv", "num_frames")), tensors["tconv.out"], conv)
    close(attention(tensors["tattn.x"], constructed(meta, "tattn", "num_frames")), tensors["tattn.out"], attention)


@torch.no_grad()
@pytest.mark.parametrize("block", ["rdb", "rrdb"])
def test_feature_fusion_alone(block):
    tensors, meta = golden.load("10c_small_modules")
    net = FeatureFusion(tensors["cfw.dec"].shape[1], block)
    keys = {
        ours: official._fusion(f"fusion.0.{ours}").removeprefix("decoder.fusion_layer_0.") for ours in net.state_dict()
    }
    net.load_state_dict(module_state(net, keys, meta["seed"]))
    for name in matching(rf"cfw_{block}\.out_w[\d.]+", tensors):
        fidelity = float(name.removeprefix(f"cfw_{block}.out_w"))
        close(net(tensors["cfw.enc"], tensors["cfw.dec"], fidelity), tensors[name], net)
