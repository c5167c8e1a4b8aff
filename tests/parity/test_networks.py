"""Golden 01–03 and 10: the networks give what the published modules give."""

from __future__ import annotations

import pytest
import torch

from mgld.nets import StructureEncoder, VideoUNet, VideoVAE
from mgld.nets.layers import SFT, FeatureFusion, TemporalAttention, TemporalConv
from mgld.weights import official
from tests.parity import golden

TOLERANCE = 2e-5


def close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    torch.testing.assert_close(ours, theirs, atol=TOLERANCE, rtol=1e-5)


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
    close(net(x, tensors["t1"], structure, frames, text=text), tensors["y_t1"])
    close(net(x, tensors["t5"], structure, frames, text=text), tensors["y_t5"])
    for name, parameter in net.named_parameters():
        if name.endswith("temporal_alpha"):
            parameter.zero_()
    close(net(x, tensors["t1"], structure, frames, text=text), tensors["y_t1_alpha0"])
    close(net(x, tensors["t1"], structure, frames, text=text, temporal=False), tensors["y_t1_alpha0"])


@torch.no_grad()
def test_unet_and_structure_encoder_of_the_full_layout():
    tensors, meta = golden.load("01b_unet_video_io")
    net, encoder = unet_of(meta["kwargs"]), structure_of(meta["struct_kwargs"])
    fill(net, official.unet_sources(net), meta["weight_seed"])
    fill(encoder, official.structure_sources(encoder), meta["weight_seed"])
    assert sum(p.numel() for p in net.parameters()) == meta["n_params"]
    frames = meta["kwargs"]["num_frames"]
    for x, latent, t, text, y in (
        ("x", "struct_latent", "t1", "ctx", "y_t1"),
        ("x", "struct_latent", "t5", "ctx", "y_t5"),
        ("x_b2", "struct_latent_b2", "t1", "ctx_b2", "y_b2_t1"),
        ("x_nonsquare", "struct_latent_nonsquare", "t1", "ctx", "y_nonsquare_t1"),
    ):
        structure = encoder(tensors[latent], tensors[t])
        close(net(tensors[x], tensors[t], structure, frames, text=tensors[text]), tensors[y])


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
        close(ours[: len(expected)], expected)
        compared += 1
    assert compared >= 3


@torch.no_grad()
def test_video_autoencoder():
    tensors, meta = golden.load("03_vae_video_io")
    net = vae_of(meta["ddconfig"])
    fill(net, official.vae_sources(net), meta["weight_seed"])
    posterior, features = net.encode(tensors["x"])
    close(posterior.parameters, tensors["moments"])
    close(posterior.mode(), tensors["mean"])
    close(posterior.logvar, tensors["logvar_clamped"])
    for ours, name in zip(features, ("enc_fea.0", "enc_fea.1"), strict=True):
        close(ours, tensors[name])
    frames = meta["ddconfig"]["num_frames"]
    close(net.decode(tensors["z"], features, frames, 1.0), tensors["y_w1"])
    close(net.decode(tensors["z"], features, frames, 0.5), tensors["y_w0.5"])
    close(net.decode(tensors["z"], features, frames, 1.0, temporal=False), tensors["y_w1_alpha0"])
    posterior, features = net.encode(tensors["x_nonsquare"])
    close(posterior.parameters, tensors["moments_nonsquare"])
    close(net.decode(tensors["z_nonsquare"], features, frames, 1.0), tensors["y_nonsquare_w1"])


@torch.no_grad()
def test_stablesr_unet_is_ours_without_temporal_layers():
    tensors, meta = golden.load("10a_stablesr_unet_io")
    net, encoder = unet_of(meta["kwargs"]), structure_of(meta["struct_kwargs"])
    fill(net, official.unet_sources(net, stablesr=True), meta["weight_seed"])
    fill(encoder, official.structure_sources(encoder), meta["weight_seed"])
    frames = len(tensors["x"])
    structure = encoder(tensors["struct_latent"], tensors["t1"])
    y = net(tensors["x"], tensors["t1"], structure, frames, temporal=False, text=tensors["ctx"])
    close(y, tensors["y_t1"])


@torch.no_grad()
def test_stablesr_decoders():
    tensors, meta = golden.load("10b_stablesr_vae_io")
    reference, _ = golden.load("03_vae_video_io")
    net = vae_of(meta["ddconfig"], block="rrdb")
    fill(net, official.vae_sources(net, temporal=False), meta["weight_seed"])
    features, frames = [reference["enc_fea.0"], reference["enc_fea.1"]], len(tensors["z"])
    for name, fidelity in (("y_plain_decoder", 0.0), ("y_cfw_w1", 1.0), ("y_cfw_w0.5", 0.5)):
        close(net.decode(tensors["z"], features, frames, fidelity, temporal=False), tensors[name])


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
    net = SFT(tensors["spade.h"].shape[1], tensors["spade.cond"].shape[1], 128)
    net.load_state_dict(module_state(net, official.SFT_LAYERS, meta["seed"]))
    close(net(tensors["spade.h"], tensors["spade.cond"]), tensors["spade.out"])


@torch.no_grad()
def test_temporal_layers_alone():
    tensors, _ = golden.load("10c_small_modules")
    weights = {k[2:]: v.float() for k, v in tensors.items() if k.startswith("w:")}
    conv = TemporalConv(tensors["tconv.x"].shape[1])
    state = {k.removeprefix("tconv:"): v for k, v in weights.items() if k.startswith("tconv:")}
    state["temporal_conv.weight"] = state["temporal_conv.weight"][..., 0, 0]
    conv.load_state_dict(state)
    attention = TemporalAttention(tensors["tattn.x"].shape[1], heads=4)
    attention.load_state_dict({k.removeprefix("tattn:"): v for k, v in weights.items() if k.startswith("tattn:")})
    close(conv(tensors["tconv.x"], 5), tensors["tconv.out"])
    close(attention(tensors["tattn.x"], 5), tensors["tattn.out"])


@torch.no_grad()
@pytest.mark.parametrize("block", ["rdb", "rrdb"])
def test_feature_fusion_alone(block):
    tensors, meta = golden.load("10c_small_modules")
    net = FeatureFusion(tensors["cfw.dec"].shape[1], block)
    keys = {
        ours: official._fusion(f"fusion.0.{ours}").removeprefix("decoder.fusion_layer_0.") for ours in net.state_dict()
    }
    net.load_state_dict(module_state(net, keys, meta["seed"]))
    for name, expected in tensors.items():
        if name.startswith(f"cfw_{block}.out_w"):
            fidelity = float(name.removeprefix(f"cfw_{block}.out_w"))
            close(net(tensors["cfw.enc"], tensors["cfw.dec"], fidelity), expected)
