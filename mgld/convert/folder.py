"""Write a model folder in diffusers' layout, a few hundred megabytes at a time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from diffusers import ModelMixin
from huggingface_hub import split_torch_state_dict_into_shards
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from mgld import errors
from mgld.convert import refusals
from mgld.presets import sha256_of

SHARD_BYTES = 500_000_000  # what is held in memory while it is written
PATTERN = "diffusion_pytorch_model{suffix}.safetensors"


def write_net(
    folder: Path, net: ModelMixin, take: Callable[[str], Tensor], dtype: torch.dtype, wrote: Callable[[int], None]
) -> None:
    """Write net's config and its tensors in dtype, as take gives them by name, in shards; net itself may be on "meta".

    wrote hears of the bytes of each shard.
    """
    net.save_config(folder)
    planned = {name: tensor.to(dtype) for name, tensor in net.state_dict().items()}
    split = split_torch_state_dict_into_shards(planned, filename_pattern=PATTERN, max_shard_size=SHARD_BYTES)
    for file, names in split.filename_to_tensors.items():
        _write_shard(folder / file, take, names, dtype)
        wrote(sum(planned[name].nbytes for name in names))
    if split.is_sharded:
        index = {"metadata": split.metadata, "weight_map": split.tensor_to_filename}
        (folder / PATTERN.format(suffix="")).with_suffix(".safetensors.index.json").write_text(
            json.dumps(index, indent=2), encoding="utf-8"
        )


def _write_shard(file: Path, take: Callable[[str], Tensor], names: list[str], dtype: torch.dtype) -> None:
    """Write the named tensors; what they took is free before the next shard's are made."""
    # Copied even where the precision stays: tensors of a checkpoint may share their numbers, which this format does not.
    shard = {name: take(name).to(dtype, copy=True, memory_format=torch.contiguous_format) for name in names}
    save_file(shard, file, {"format": "pt"})
    file.chmod(0o644)  # it is made for its owner only


def size_of(net: ModelMixin, dtype: torch.dtype) -> int:
    """Return how many bytes net's tensors take on disk."""
    return sum(tensor.numel() for tensor in net.state_dict().values()) * dtype.itemsize


def hashes(folder: Path) -> dict[str, dict]:
    """Return {"bytes", "sha256"} of every file, by its path inside the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256_of(path)} for path in files
    }


def check_place(folder: Path, needed: int) -> None:
    """Refuse a folder that holds something, or a disk that is too small for needed bytes."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise errors.output_folder_used(folder)
    parent = next(p for p in folder.absolute().parents if p.exists())
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise errors.output_failed(folder, f"it takes {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free")


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """Hand out a folder beside the wanted one that takes its name when all is written, and is gone if anything fails."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        yield part
        if folder.exists():
            folder.rmdir()
        part.replace(folder)
    except (OSError, SafetensorError) as error:
        raise refusals.folder_unwritable(folder) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
