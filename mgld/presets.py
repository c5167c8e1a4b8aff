"""What the two presets are: numbers for the same classes, where their folders lie, and how a model is named exactly."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from mgld import errors, settings

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
        "channels": (64, 128, 192),
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
        "linear": True,
        "middle_attention": False,
        "fusion_levels": (0, 1),
        "fusion_growth": 16,
        "scaling_factor": 1.0,
        "norm_groups": 8,  # 32 would leave two channels a group, and so lose the mean colour
    },
    # "linspace" ends at timestep 0, where hardly any noise is left: of two or three steps one would do nothing.
    "scheduler": {
        **SD21["scheduler"],
        "beta_end": 0.0044,
        "prediction_type": "v_prediction",
        "timestep_spacing": "trailing",
    },
}

PRESETS = {"tiny": TINY, "sd21": SD21}
MANIFEST = "manifest.json"  # of a converted folder: what was read and written, with hashes


def folder_of(model: str) -> Path | str:
    """Return the folder (or Hub name) of a preset, a folder, or a Hub name; raise UserError if a preset is absent."""
    if model in PRESETS:
        folder = settings.MODELS / model
        if not (folder / "unet" / "config.json").exists():
            raise errors.model_missing(model, settings.HOW_TO_GET[model])
        return folder
    if (Path(model) / "unet").is_dir() or (not Path(model).exists() and model.count("/") == 1):
        return model
    raise errors.model_missing(
        model, "Name tiny, sd21, a folder with unet/ and vae/ inside, or OWNER/NAME of a Hub repository."
    )


def describe_model(model: str) -> dict:
    """Return {"name", "sha256": {relative file: hash}} of a preset or folder; a Hub repository has no local files here.

    Gigabytes are not read for it: a converted folder's manifest holds the hashes of what was not touched since.
    """
    folder = Path(folder_of(model))
    files = sorted(folder.rglob("*.safetensors")) if folder.is_dir() else []
    known = _recorded(folder)
    return {
        "name": model,
        "sha256": {str(f.relative_to(folder)): known.get(f) or sha256_of(f) for f in files},
    }


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
