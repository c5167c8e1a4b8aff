"""Open a network of a model folder, or say what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from diffusers import ModelMixin
from diffusers.utils import logging as diffusers_logging
from safetensors import SafetensorError

from mgld import errors
from mgld.device import OPENING
from mgld.nets import Cleaner, StructureEncoder, VideoUNet, VideoVAE

NETS = {"vae": VideoVAE, "unet": VideoUNet, "structure_encoder": StructureEncoder}
FIRST_STAGE = "first_stage"  # what encodes the LQ latent where the published system has an autoencoder for that alone
CLEANER = "cleaner"  # what mends the LQ frames before they are encoded, where a model has one
KINDS = NETS | {FIRST_STAGE: VideoVAE, CLEANER: Cleaner}


def open_net(folder: Path | str, name: str, kind: torch.dtype) -> ModelMixin:
    """Load one network (of KINDS) of a model folder; raise UserError if its weights are not just what it needs, or not finite."""
    try:
        with OPENING, _without_bars():
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


@contextmanager
def _without_bars() -> Iterator[None]:
    """Keep diffusers' bars over the shards of a file, which tell nobody anything, out of the terminal."""
    shown = diffusers_logging.is_progress_bar_enabled()
    diffusers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            diffusers_logging.enable_progress_bar()
