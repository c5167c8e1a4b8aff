"""Name a model exactly: its folder and the hashes of its weight files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mgld.presets import folder_of


def describe_model(model: str) -> dict:
    """Return {"name", "sha256": {relative file: hash}} of a preset or folder; a Hub repository has no local files here."""
    folder = Path(folder_of(model))
    files = sorted(folder.rglob("*.safetensors")) if folder.is_dir() else []
    return {
        "name": model,
        "sha256": {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files},
    }
