"""Read a network's widths, levels and blocks from the shapes of its published tensors.

Where several tensors show a number, most of them decide: one misshapen tensor must not change the network it is held against.
What shapes cannot show keeps the published rule: heads of 64 channels and 32 groups, or the largest common divisor below.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping

Shapes = Mapping[str, tuple[int, ...]]

HEAD_CHANNELS = 64
NORM_GROUPS = 32
PUBLISHED_FUSION = (1, 2)


def unet_config(shapes: Shapes, head_channels: int = HEAD_CHANNELS) -> dict:
    """Return VideoUNet's arguments from its tensors' shapes (spec §2.3); raise LookupError if they show no U-Net."""
    config = _half_unet(shapes)
    return config | {
        "latent_channels": _most(shapes, r"out\.2\.(weight|bias)", r"input_blocks\.0\.0\.weight"),
        "head_channels": math.gcd(head_channels, *config["channels"]),
        "text_channels": _most(shapes, second=r".+attn2\.to_[kv]\.weight"),
        "structure_channels": _most(shapes, second=r".+spade\.mlp_shared\.0\.weight"),
        "sft_channels": _most(shapes, r".+spade\.mlp_shared\.0\.(weight|bias)"),
    }


def structure_config(shapes: Shapes) -> dict:
    """Return StructureEncoder's arguments from its tensors' shapes; raise LookupError if they show none."""
    return _half_unet(shapes) | {
        "latent_channels": _most(shapes, second=r"input_blocks\.0\.0\.weight"),
        "out_channels": _most(shapes, r"fea_tran\.\d+\.out_layers\.3\.(weight|bias)"),
    }


def vae_config(shapes: Shapes) -> dict:
    """Return VideoVAE's arguments from its tensors' shapes (spec §2.4, §2.5); raise LookupError if they show none."""
    placed = {
        (int(m[1]), int(m[2])) for name in shapes if (m := re.match(r"encoder\.down\.(\d+)\.block\.(\d+)\.", name))
    }
    levels = range(_unbroken(level for level, _ in placed))
    blocks = Counter(_unbroken(block for at, block in placed if at == level) for level in levels)
    widths = [_most(shapes, rf"encoder\.down\.{i}\.block\.\d+\.(conv1|norm2|conv2)\.bias") for i in levels]
    fused = {int(m[1]) for name in shapes if (m := re.match(r"decoder\.fusion_layer_(\d+)\.", name))} & set(levels)
    config = {
        "latent_channels": _most(shapes, r"post_quant_conv\.(weight|bias)", r"decoder\.conv_in\.weight"),
        "channels": tuple(widths),
        "layers_per_block": blocks.most_common(1)[0][0],
        "middle_attention": any(".mid.attn_1." in name for name in shapes),
        "fusion_levels": tuple(sorted(fused)) or PUBLISHED_FUSION,
        "fusion_block": "rrdb" if any(".encode_enc_2." in name and ".rdb" in name for name in shapes) else "rdb",
        "norm_groups": math.gcd(NORM_GROUPS, *widths),
    }
    if fused:
        config["fusion_growth"] = _most(shapes, r".+\.encode_enc_2\..+\.?conv[1-4]\.bias")
    return config


def text_config(shapes: Shapes) -> dict:
    """Return CLIPTextConfig's arguments from an OpenCLIP text tower's shapes, one layer less: the last one is not used."""
    layers = {int(m[1]) for name in shapes if (m := re.match(r"transformer\.resblocks\.(\d+)\.", name))}
    width = _most(shapes, r"transformer\.resblocks\.\d+\.(ln_[12]|mlp\.c_proj)\.bias")
    vocabulary = _most(shapes, r"token_embedding\.weight")
    return {
        "vocab_size": vocabulary,
        "bos_token_id": vocabulary - 2,
        "eos_token_id": vocabulary - 1,
        "hidden_size": width,
        "intermediate_size": _most(shapes, r"transformer\.resblocks\.\d+\.mlp\.c_fc\.bias"),
        "num_hidden_layers": _unbroken(layers) - 1,
        "num_attention_heads": width // math.gcd(HEAD_CHANNELS, width),
        "max_position_embeddings": _most(shapes, r"positional_embedding"),
        "hidden_act": "gelu",
    }


def _half_unet(shapes: Shapes) -> dict:
    """Return what U-Net and structure encoder share: the way down shows it."""
    placed = {(int(m[1]), m[2]) for name in shapes if (m := re.match(r"input_blocks\.(\d+)\.(0\.op|[01])\.", name))}
    count = _unbroken(block for block, _ in placed)
    per_level = min((block for block, part in placed if part == "0.op"), default=count)  # its resampler included
    channels, attention = [], []
    for first in range(1, count, per_level):
        blocks = "|".join(str(n) for n in range(first, first + per_level - 1))
        channels.append(
            _most(shapes, rf"input_blocks\.({blocks})\.0\.(in_layers\.2|emb_layers\.1|out_layers\.\d)\.bias")
        )
        attention.append(any(re.match(rf"input_blocks\.({blocks})\.1\.", name) for name in shapes))
    return {
        "channels": tuple(channels),
        "layers_per_block": per_level - 1,
        "attention": tuple(attention),
        "norm_groups": math.gcd(NORM_GROUPS, *channels),
    }


def _most(shapes: Shapes, first: str = "$^", second: str = "$^") -> int:
    """Return the length that most tensors have: along the first axis if called so, along the second if called so."""
    sizes = [
        shape[axis]
        for axis, pattern in enumerate((first, second))
        for name, shape in shapes.items()
        if len(shape) > axis and re.fullmatch(pattern, name)
    ]
    if not sizes:
        raise LookupError(first)
    return Counter(sizes).most_common(1)[0][0]


def _unbroken(numbers: Iterable[int]) -> int:
    """Return how many numbers 0, 1, 2, … are there without a gap; a stray one far off does not count."""
    there = set(numbers)
    count = next(n for n in itertools.count() if n not in there)
    if not count:
        raise LookupError("no numbered block")
    return count
