"""Open a network of a model folder, or say what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import ModelMixin
from safetensors import SafetensorError

from mgld import errors
from mgld.nets import Cleaner, StructureEncoder, VideoUNet, VideoVAE

NETS = {"vae": VideoVAE, "unet": VideoUNet, "structure_encoder": StructureEncoder}
FIRST_STAGE = "first_stage"  # what encodes the LQ latent where the published system has an autoencoder for that alone
CLEANER = "cleaner"  # what mends the LQ frames before they are encoded, where a model has one
KINDS = NETS | {FIRST_STAGE: VideoVAE, CLEANER: Cleaner}


def open_net(folder: Path | str, name: str, kind: torch.dtype) -> ModelMixin:
    """Load one network (of KINDS) of a model folder; raise UserError if its weights are not just what it needs, or not finite."""
    try:
        net, loaded = KINDS[name].from_pretrained(
            folder,
            subfolder=name,
            torch_dtype=kind,
            low_cpu_mem_usage=False,
            use_safetensors=True,  # else an absent file would be looked for as a pickle, which can run code
            output_loading_info=True,
        )
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise errors.model_broken(
            folder, name, "is missing, damaged, out of reach, or made for another network"
        ) from error
    missing, unknown = loaded["missing_keys"], loaded["unexpected_keys"]
    if missing or unknown:
        counts = f"lacks {len(missing)} tensors and has {len(unknown)} unknown ones, e.g. {[*missing, *unknown][0]}"
        raise errors.model_broken(folder, name, counts)
    if not all(torch.isfinite(p).all() for p in net.parameters()):
        raise errors.model_broken(folder, name, "holds numbers that are not finite")
    return net
