"""What the two presets are: numbers for the same classes, where their folders lie, and how a model is named exactly."""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache
from pathlib import Path

from mgld import errors, host

# Published system (spec §1, §4, §7): the classes' own defaults.
SD21 = {
    "unet": {},
    "structure_encoder": {},
    "vae": {},
    "scheduler": {
        "num_train_timesteps": 1000,
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "prediction_type": "epsilon",
        "variance_type": "fixed_small",
        "timestep_spacing": "linspace",
        "clip_sample": False,
    },
}

# Small enough for two CPU cores. The noise ends at √ᾱ = 0.30 instead of 0.07: sampling starts from the LQ latent, which already
# fixes the low frequencies, so steps nearer to pure noise would be spent on nothing.
TINY = {
    "unet": {
        "latent_channels": 16,
        "channels": (96, 192, 288),
        "layers_per_block": 1,
        "attention": (False, False, True),
        "head_channels": 32,
        "text_channels": 32,
        "text_tokens": 1,
        "structure_channels": 64,
        "sft_channels": 32,
        "sample_size": 128,  # of a tile: it was trained on crops, sees any size alike, and overlapping tiles cost up to four times
        "smallest_sample": 16,
        "norm_groups": 8,
    },
    "structure_encoder": {
        "latent_channels": 16,
        "channels": (64, 64, 128),
        "layers_per_block": 1,
        "attention": (False, False, True),
        "out_channels": 64,
        "norm_groups": 8,
    },
    "vae": {
        "latent_channels": 16,
        "channels": (64, 128),
        "layers_per_block": 1,
        "patch": 4,
        "pixel_channels": 8,
        "smoothing": 2,
        "linear": True,
        "canvas_gate": True,
        "middle_attention": False,
        "fusion_levels": (0, 1),
        "fusion_growth": 16,
        "scaling_factor": 1.0,
        "norm_groups": 8,  # 32 would leave two channels a group, and so lose the mean colour
    },
    "cleaner": {},  # the class's own
    # "linspace" ends at timestep 0, where hardly any noise is left: of two or three steps one would do nothing.
    "scheduler": {
        **SD21["scheduler"],
        "beta_end": 0.0044,
        "prediction_type": "v_prediction",
        "timestep_spacing": "trailing",
    },
}

PRESETS = {"tiny": TINY, "sd21": SD21}
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")  # OWNER/NAME, and a revision of it
FETCHED = ("*.json", "*.safetensors")
MANIFEST = "manifest.json"  # of a converted folder: what was read and written, with hashes


def folder_of(model: str) -> Path | str:
    """Return the folder (or Hub name) of a preset, a folder, or a Hub name; raise UserError if a preset is absent."""
    if model in PRESETS:
        folder = host.MODELS / model
        if not (folder / "unet" / "config.json").exists():
            raise errors.model_missing(model, host.HOW_TO_GET[model])
        return folder
    if (Path(model) / "unet").is_dir() or (not Path(model).exists() and HUB_NAME.fullmatch(model)):
        return model
    raise errors.model_missing(model, errors.HOW_TO_NAME_MODELS)


def local_folder(model: str) -> Path:
    """Return where a model lies on this machine; a Hub repository's safetensors and configurations are fetched if need be.

    A revision behind @ is the one that is taken, else the newest. Raises UserError where there is none or no network.
    """
    folder = folder_of(model)
    return Path(folder) if Path(folder).is_dir() else snapshot_of(model)


def snapshot_of(model: str, local_files_only: bool = False) -> Path:
    """Return the folder of a Hub repository's files; nothing but numbers and text is taken, no pickle, which can run code."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    repo, _, revision = model.partition("@")
    try:
        return Path(
            snapshot_download(
                repo, revision=revision or None, allow_patterns=list(FETCHED), local_files_only=local_files_only
            )
        )
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError) as error:
        raise errors.not_among_hubs(model) from error
    except (OSError, ValueError, LocalEntryNotFoundError) as error:
        raise errors.hub_unreachable(repo) from error


def name_of(model: str | Path) -> str:
    """Return what a model is called: a folder by its name, wherever it lies on this machine."""
    return Path(model).absolute().name if Path(model).is_dir() else str(model)


def offered(own: str = host.PAGE_MODEL) -> dict[str, str]:
    """Return the models that visitors may choose, by what they are called: the host's own, the presets, host.PAGE_MODELS.

    Raises UserError where two have one name.
    """
    found: dict[str, str] = {}
    for model in dict.fromkeys([*host.PAGE_MODELS, own]):
        if name_of(model) in found:
            raise errors.models_alike(name_of(model), found[name_of(model)], model)
        found[name_of(model)] = model
    return {name: found.get(name, name) for name in PRESETS} | found  # a host's folder called sd21 is its sd21


def describe_model(model: str) -> dict:
    """Return {"name", "sha256": {relative file: hash}} of what a model's name stands for, and a Hub repository's "revision".

    Gigabytes are not read for it: a converted folder's manifest holds the hashes of what was not touched since.
    """
    folder, told = Path(folder_of(model)), {"name": model}
    if not folder.is_dir():
        folder = snapshot_of(model, local_files_only=True)
        told["revision"] = folder.name
    files, known = sorted(folder.rglob("*.safetensors")), _recorded(folder)
    return told | {"sha256": {str(f.relative_to(folder)): known.get(f) or _hash_of(f) for f in files}}


def _hash_of(file: Path) -> str:
    """Return a file's hash; a page asks for it twice a job, and nothing is read again as long as nobody has written it."""
    told = file.stat()
    return _read_hash(file.absolute(), told.st_ino, told.st_size, told.st_mtime_ns)


@lru_cache(maxsize=64)
def _read_hash(file: Path, *state: int) -> str:
    return sha256_of(file)


def _recorded(folder: Path) -> dict[Path, str]:
    """Return the hashes in a folder's manifest, of files that still have their size and are no newer."""
    manifest = folder / MANIFEST
    try:
        outputs = json.loads(manifest.read_text(encoding="utf-8"))["outputs"]
        files = {folder / name: (entry["bytes"], entry["sha256"]) for name, entry in outputs.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}
    written = manifest.stat().st_mtime_ns
    stats = {file: file.stat() for file in files if file.is_file()}
    return {
        file: files[file][1] for file, s in stats.items() if s.st_size == files[file][0] and s.st_mtime_ns <= written
    }


def sha256_of(file: Path) -> str:
    """Return a file's hash; it is read in pieces, whatever its size."""
    digest = hashlib.sha256()
    with Path(file).open("rb") as opened:
        while piece := opened.read(2**22):
            digest.update(piece)
    return digest.hexdigest()
