"""What is on this machine and what is not: models, flow networks, metrics' numbers, each with the way to get it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from mgld import settings
from mgld.errors import UserError
from mgld.flow import weights_of
from mgld.metrics.catalogue import METRICS
from mgld.presets import PRESETS, folder_of


@dataclass(frozen=True)
class Finding:
    """One thing that may be here: state is "present", "absent" or "damaged"; hint says how to get it."""

    kind: str
    name: str
    state: str
    bytes: int = 0
    hint: str = ""


def examine() -> Iterator[Finding]:
    """Yield a finding for every preset, flow network and metric."""
    for name in PRESETS:
        yield _of_files("model", name, lambda name=name: sorted(Path(folder_of(name)).rglob("*.safetensors")))
    for name in settings.FLOWS:
        yield _of_files("flow", name, lambda name=name: weights_of(name))
    for weights in (metric.weights for metric in METRICS.values() if metric.weights):
        yield _of_files("metric", weights.name, lambda weights=weights: [weights.found()])


def _of_files(kind: str, name: str, find) -> Finding:
    """Look at files as far as their headers: pointers, pages of HTML and halves of files show there."""
    try:
        files = find()
    except UserError as absent:
        return Finding(kind, name, "absent", hint=str(absent))
    for file in files:
        try:
            with safe_open(file, "np") as opened:
                opened.keys()
        except (OSError, SafetensorError):
            return Finding(kind, name, "damaged", hint=f"{file} is damaged: restore it.")
    return Finding(kind, name, "present", sum(file.stat().st_size for file in files))
