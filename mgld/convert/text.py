"""The embedding of the empty prompt, the only one that the system ever uses, from wherever it can be had (spec §2.6, §3)."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from mgld import errors
from mgld.convert.checkpoint import open_checkpoint
from mgld.convert.official import Source, convert
from mgld.convert.shapes import Shapes, text_config

LAYER = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
SIMPLE = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm.weight": "ln_final.weight",
    "final_layer_norm.bias": "ln_final.bias",
}
OPENCLIP_LAYERS = 24  # of its whole ViT-H text tower; Stable Diffusion 2 reads the one before the last


def make_tower(shapes: Shapes) -> CLIPTextModel:
    """Build, without weights, the tower that an OpenCLIP checkpoint's shapes show; raise LookupError if they show none."""
    with torch.device("meta"):
        return CLIPTextModel(CLIPTextConfig(**text_config(shapes))).eval()


def tower_sources(tower: CLIPTextModel) -> dict[str, Source]:
    """Map the tower's tensors to OpenCLIP's; q, k and v stand together as three blocks of rows."""
    sources = {}
    for ours, tensor in tower.state_dict().items():
        name, shape = (
            ours.removeprefix("text_model."),
            tuple(tensor.shape),
        )  # older transformers nest the model once more
        if name in SIMPLE:
            sources[ours] = Source(SIMPLE[name], shape, lambda t: t)
            continue
        layer, rest = re.fullmatch(r"encoder\.layers\.(\d+)\.(.+)", name).groups()
        sources[ours] = _layer_source(f"transformer.resblocks.{layer}", rest, shape)
    return sources


def _layer_source(block: str, rest: str, shape: tuple[int, ...]) -> Source:
    if match := re.fullmatch(r"self_attn\.([qkv])_proj\.(weight|bias)", rest):
        rows = slice("qkv".index(match[1]) * shape[0], ("qkv".index(match[1]) + 1) * shape[0])
        return Source(f"{block}.attn.in_proj_{match[2]}", (3 * shape[0], *shape[1:]), lambda t: t[rows])
    stem, kind = rest.rsplit(".", 1)
    return Source(f"{block}.{LAYER.get(stem, stem.replace('self_attn', 'attn'))}.{kind}", shape, lambda t: t)


@torch.no_grad()
def embed_nothing(tower: CLIPTextModel, state: dict[str, Tensor]) -> Tensor:
    """Return f32 [1,tokens,width]: what the tower with these weights makes of the empty prompt."""
    tower.load_state_dict({name: tensor.float() for name, tensor in state.items()}, assign=True)
    length, vocabulary = tower.config.max_position_embeddings, tower.config.vocab_size
    tokens = torch.zeros(1, length, dtype=torch.int64)  # OpenCLIP pads with 0
    tokens[0, :2] = torch.tensor([vocabulary - 2, vocabulary - 1])  # start and end of text
    return tower(input_ids=tokens, position_ids=torch.arange(length)[None]).last_hidden_state


def stored_text(source: Path, channels: int) -> Tensor:
    """Return f32 [1,tokens,channels] from a `text_encoder` folder, an OpenCLIP checkpoint, or a stored tensor.

    Raises UserError if source is none of these or belongs to another width.
    """
    if source.is_dir():
        text = _of_folder(source)
    elif source.suffix == ".safetensors":
        text = _single(_read(source), source)
    else:
        text = _of_checkpoint(source)
    text = text.float().reshape(-1, *text.shape[-2:]) if text.ndim >= 2 else text
    if text.ndim != 3 or len(text) != 1 or text.shape[-1] != channels or not text.isfinite().all():
        raise errors.weights_broken(source, f"the empty prompt must be 1×tokens×{channels} finite numbers")
    return text


def _of_folder(folder: Path) -> Tensor:
    """Run a local CLIPTextModel, as diffusers does: its last state."""
    try:
        config = CLIPTextConfig.from_pretrained(folder)
        config.num_hidden_layers -= config.num_hidden_layers == OPENCLIP_LAYERS
        tower = CLIPTextModel.from_pretrained(folder, config=config, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise errors.weights_broken(folder, "it holds no CLIP text model in safetensors") from error
    return embed_nothing(tower.eval(), tower.state_dict())


def _of_checkpoint(source: Path) -> Tensor:
    tensors = open_checkpoint(source).tensors
    if len(tensors) == 1:
        return _single(tensors, source)
    try:
        tower = make_tower({name: tuple(tensor.shape) for name, tensor in tensors.items()})
    except LookupError as error:
        raise errors.weights_broken(source, "it holds no OpenCLIP text tower and no single tensor") from error
    return embed_nothing(tower, convert(tensors, tower_sources(tower), ignored="."))


def _single(tensors: dict[str, Tensor], source: Path) -> Tensor:
    if len(tensors) != 1:
        raise errors.weights_broken(source, f"it holds {len(tensors)} tensors instead of the one of the empty prompt")
    return next(iter(tensors.values()))


def _read(source: Path) -> dict[str, Tensor]:
    if not source.is_file():
        raise errors.file_missing(source)
    try:
        return load_file(source)
    except (OSError, SafetensorError) as error:
        raise errors.weights_broken(source, "it is damaged") from error
