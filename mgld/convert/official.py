"""Where each of our tensors stands in the published checkpoints (spec §2): our key → their key, shape and reshaping."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mgld import errors
from mgld.nets import StructureEncoder, VideoUNet, VideoVAE

RESIDUAL = {  # diffusers' names of a U-Net residual block's layers → OpenAI's
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
SFT_LAYERS = {"norm": "param_free_norm", "shared": "mlp_shared.0", "gamma": "mlp_gamma", "beta": "mlp_beta"}
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


@dataclass(frozen=True)
class Source:
    """One published tensor and how ours is taken from it."""

    key: str
    shape: tuple[int, ...]
    take: Callable[[Tensor], Tensor]


def convert(state: dict[str, Tensor], sources: dict[str, Source], ignored: str = r"$^") -> dict[str, Tensor]:
    """Return our state from a published one; raise UserError on missing, misshapen or unknown tensors.

    ignored is a pattern of published keys that are allowed to be left over.
    """
    wanted = {s.key: s.shape for s in sources.values()}
    missing = [k for k, shape in wanted.items() if k not in state or tuple(state[k].shape) != shape]
    unknown = [k for k in state if k not in wanted and not re.match(ignored, k)]
    if missing or unknown:
        example = (missing + unknown)[0]
        raise errors.weights_broken(
            "the checkpoint", f"{len(missing)} missing, {len(unknown)} unexpected, e.g. {example}"
        )
    return {ours: source.take(state[source.key]).contiguous() for ours, source in sources.items()}


def unet_sources(net: VideoUNet, stablesr: bool = False) -> dict[str, Source]:
    """Map VideoUNet's tensors; StableSR's middle block is numbered 0, 1, 2 and has no temporal layers."""
    per_level = net.config.layers_per_block + 1
    middle = {"res0": 0, "attention": 1, "res1": 2} if stablesr else {"res0": 0, "attention": 2, "res1": 4}
    sources = {}
    for ours, tensor in net.state_dict().items():
        if ours == "text" or (stablesr and ours.startswith("temporal")):
            continue
        shape, take = tuple(tensor.shape), _same
        if ours.startswith("temporal"):
            key, shape, take = _temporal_unet(ours, shape)
        elif ours.startswith("sft."):
            block, layer, kind = re.fullmatch(r"sft\.(.+)\.(\w+)\.(weight|bias)", ours).groups()
            key = f"{_unet_block(block.replace('-', '.'), per_level, middle)}.spade.{SFT_LAYERS[layer]}.{kind}"
        else:
            key = _unet_backbone(ours.removeprefix("backbone."), per_level, middle, net.config.attention)
        sources[ours] = Source(key, shape, take)
    return sources


def structure_sources(net: StructureEncoder) -> dict[str, Source]:
    """Map StructureEncoder's tensors; q, k and v stand together, grouped per head."""
    per_level, heads = net.config.layers_per_block + 1, net.config.heads
    sources = {}
    for ours, tensor in net.state_dict().items():
        name = re.sub(r"^levels\.(\d+)\.(resnets|attentions)\.(\d+)", _structure_level(per_level), ours)
        name = re.sub(r"^downsamplers\.(\d+)\.conv", lambda m: f"input_blocks.{(int(m[1]) + 1) * per_level}.0.op", name)
        name = re.sub(r"^conv_in", "input_blocks.0.0", name)
        name = re.sub(r"^middle", "middle_block", re.sub(r"^outputs", "fea_tran", name))
        name = re.sub(r"^time_embedding\.linear_([12])", lambda m: f"time_embed.{2 * int(m[1]) - 2}", name)
        name = re.sub(r"\b(norm1|conv1|time_emb_proj|norm2|conv2|conv_shortcut)\b", lambda m: RESIDUAL[m[1]], name)
        sources[ours] = _structure_attention(name, tuple(tensor.shape), heads)
    return sources


def vae_sources(net: VideoVAE, temporal: bool = True, fusion: bool = True) -> dict[str, Source]:
    """Map VideoVAE's tensors; temporal and fusion say what the checkpoint holds (StableSR's has no temporal layers)."""
    last = len(net.config.channels) - 1
    sources = {}
    for ours, tensor in net.state_dict().items():
        shape, take = tuple(tensor.shape), _same
        if ours.startswith("temporal"):
            if not temporal:
                continue
            key, shape, take = _temporal_vae(ours, shape, last)
        elif ours.startswith("fusion."):
            if not fusion:
                continue
            key = _fusion(ours)
        else:
            key, shape, take = _vae_backbone(ours.removeprefix("backbone."), shape, last)
        sources[ours] = Source(key, shape, take)
    return sources


def _same(tensor: Tensor) -> Tensor:
    return tensor


def _squeeze(tensor: Tensor) -> Tensor:
    return tensor.flatten(2).squeeze(-1)


def _temporal_conv(shape: tuple[int, ...]) -> tuple[tuple[int, ...], Callable[[Tensor], Tensor]]:
    """A (C,C,3) weight stands as (C,C,3,1,1)."""
    return ((*shape, 1, 1), lambda t: t[..., 0, 0]) if len(shape) == 3 else (shape, _same)


def _temporal_unet(ours: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...], Callable[[Tensor], Tensor]]:
    module, rest = ours.split(".", 1)
    index = {"temporal_first": 1, "temporal_attention": 3, "temporal_last": 5}[module]
    return (f"middle_block.{index}.{rest}", *_temporal_conv(shape))


def _temporal_vae(
    ours: str, shape: tuple[int, ...], last: int
) -> tuple[str, tuple[int, ...], Callable[[Tensor], Tensor]]:
    key = ours.replace("temporal_middle.", "decoder.temporal_mixing.")
    key = re.sub(r"^temporal_up\.(\d+)\.", lambda m: f"decoder.up.{last - int(m[1])}.temporal_mixing.", key)
    return (key, *_temporal_conv(shape))


def _unet_block(name: str, per_level: int, middle: dict[str, int]) -> str:
    """Name a residual block, an attention or a resampler of diffusers' U-Net as OpenAI's does."""
    place, level, kind, j = re.fullmatch(
        r"(down|mid|up)_block(?:s\.(\d+))?\.(resnets|attentions)\.(\d+)", name
    ).groups()
    if place == "mid":
        return f"middle_block.{middle['attention'] if kind == 'attentions' else middle['res' + j]}"
    slot = 1 if kind == "attentions" else 0
    if place == "down":
        return f"input_blocks.{int(level) * per_level + int(j) + 1}.{slot}"
    return f"output_blocks.{int(level) * per_level + int(j)}.{slot}"


def _unet_backbone(name: str, per_level: int, middle: dict[str, int], attention: tuple[bool, ...]) -> str:
    simple = {
        "conv_in": "input_blocks.0.0",
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
    }
    stem, kind = name.rsplit(".", 1)
    if stem in simple:
        return f"{simple[stem]}.{kind}"
    if match := re.fullmatch(r"down_blocks\.(\d+)\.downsamplers\.0\.conv", stem):
        return f"input_blocks.{(int(match[1]) + 1) * per_level}.0.op.{kind}"
    if match := re.fullmatch(r"up_blocks\.(\d+)\.upsamplers\.0\.conv", stem):
        level = int(match[1])
        slot = 2 if attention[len(attention) - 1 - level] else 1
        return f"output_blocks.{level * per_level + per_level - 1}.{slot}.conv.{kind}"
    block, rest = re.fullmatch(
        r"((?:down_blocks\.\d+|mid_block|up_blocks\.\d+)\.(?:resnets|attentions)\.\d+)\.(.+)", name
    ).groups()
    if ".resnets." in block:
        layer, kind = rest.rsplit(".", 1)
        rest = f"{RESIDUAL[layer]}.{kind}"
    return f"{_unet_block(block, per_level, middle)}.{rest}"


def _structure_level(per_level: int) -> Callable[[re.Match], str]:
    return lambda m: f"input_blocks.{int(m[1]) * per_level + int(m[3]) + 1}.{0 if m[2] == 'resnets' else 1}"


def _structure_attention(name: str, shape: tuple[int, ...], heads: int) -> Source:
    """Take one of q, k, v out of the fused projection, whose rows are grouped [q_h, k_h, v_h] per head."""
    match = re.fullmatch(r"(.+)\.to_([qkv])\.(weight|bias)", name)
    if match is None:
        stem = name.replace("group_norm", "norm").replace("to_out.0", "proj_out")
        fused = stem != name and "proj_out" in stem and len(shape) == 2
        return Source(stem, (*shape, 1) if fused else shape, (lambda t: t[..., 0]) if fused else _same)
    part, width = "qkv".index(match[2]), shape[0]
    rows = torch.arange(3 * width).view(heads, 3, width // heads)[:, part].flatten()
    weight = match[3] == "weight"
    return Source(
        f"{match[1]}.qkv.{match[3]}",
        (3 * width, *shape[1:], 1) if weight else (3 * width,),
        (lambda t: t[rows][..., 0]) if weight else (lambda t: t[rows]),
    )


def _fusion(ours: str) -> str:
    """Name CFW's layers; fusion_layer_i works at encoder level i (C = 256, 512)."""
    level, rest = re.fullmatch(r"fusion\.(\d+)\.(.+)", ours).groups()
    rest = re.sub(r"^entry\.conv_shortcut", "encode_enc_1.conv_out", rest)
    rest = re.sub(r"^entry", "encode_enc_1", re.sub(r"^exit", "encode_enc_3", rest))
    rest = re.sub(r"^dense", "encode_enc_2", rest)
    rest = re.sub(r"\brdbs\.(\d)", lambda m: f"rdb{int(m[1]) + 1}", rest)
    rest = re.sub(r"\bconvs\.(\d)", lambda m: f"conv{int(m[1]) + 1}", rest)
    return f"decoder.fusion_layer_{level}.{rest}"


def _vae_backbone(
    name: str, shape: tuple[int, ...], last: int
) -> tuple[str, tuple[int, ...], Callable[[Tensor], Tensor]]:
    key = re.sub(r"down_blocks\.(\d+)\.resnets", r"down.\1.block", name)
    key = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", key)
    key = re.sub(r"up_blocks\.(\d+)\.resnets", lambda m: f"up.{last - int(m[1])}.block", key)
    key = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0", lambda m: f"up.{last - int(m[1])}.upsample", key)
    key = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", key)
    key = key.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    match = re.fullmatch(r"(\w+)\.mid_block\.attentions\.0\.(.+)\.(weight|bias)", key)
    if match is None:
        return key, shape, _same
    key = f"{match[1]}.mid.attn_1.{VAE_ATTENTION[match[2]]}.{match[3]}"
    return (key, (*shape, 1, 1), _squeeze) if len(shape) == 2 else (key, shape, _same)
