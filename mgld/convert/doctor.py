"""What is on this machine and what is not: models, flow networks, metrics' numbers, checkpoints, each with the way to get it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from mgld import errors, host, settings
from mgld.convert import refusals
from mgld.convert.checkpoint import open_checkpoint
from mgld.convert.fetch import CHECKPOINTS, pins, place_of
from mgld.convert.flow import flow_sources
from mgld.errors import UserError
from mgld.flow import weights_of
from mgld.metrics.catalogue import METRICS
from mgld.nets.loading import NETS
from mgld.presets import HUB_NAME, MANIFEST, PRESETS, folder_of, offered, sha256_of, snapshot_of

LICENCES = {"tiny": "Apache-2.0", "dis": "Apache-2.0 (OpenCV)"}  # of what does not say it itself


@dataclass(frozen=True)
class Finding:
    """One thing that may be here: state is "present" (it would load), "absent" or "damaged"; hint is what to do next.

    sha256 is the file's, or of the list of its files' hashes.
    """

    kind: str
    name: str
    state: str
    bytes: int = 0
    hint: str = ""
    sha256: str = ""
    licence: str = ""


def examine() -> Iterator[Finding]:
    """Yield a finding for every preset, model of the page, flow network, metric and published checkpoint."""
    for name, model in offered().items():
        yield _model(name, model)
    for name in settings.FLOWS:
        yield _found("flow", name, lambda name=name: _flow(name))
    for weights in (metric.weights for metric in METRICS.values() if metric.weights):
        yield _found("metric", weights.name, lambda weights=weights: _readable([weights.found()]))
    for name in CHECKPOINTS:
        yield _checkpoint(name)


def _found(kind: str, name: str, files_of: Callable[[], list[Path]]) -> Finding:
    """Look at what files_of returns; it raises what is wrong with them."""
    try:
        files = files_of()
        _manifest(files)
    except FileDamaged as damaged:
        return Finding(kind, name, "damaged", hint=str(damaged))
    except UserError as absent:
        return Finding(kind, name, "absent", hint=str(absent))
    hashes = [sha256_of(file) for file in files]
    if changed := _changed(files, hashes):
        return Finding(kind, name, "damaged", hint=f"{changed} is not what was converted: its sha256 is another.")
    digest = hashes[0] if len(hashes) == 1 else hashlib.sha256("\n".join(hashes).encode()).hexdigest() if hashes else ""
    licence = LICENCES.get(name) or _licence(files)
    return Finding(kind, name, "present", sum(f.stat().st_size for f in files), sha256=digest, licence=licence)


class FileDamaged(UserError):
    """A file is there, but would not load."""


def _model(name: str, model: str) -> Finding:
    """Hold a model's headers against its networks: names, shapes and sizes, without reading gigabytes."""
    finding = _found("model", name, lambda: _networks(_here(model), name))
    if finding.state == "damaged":
        return replace(finding, hint=f"{finding.hint} {host.HOW_TO_GET.get(model, '')}".strip())
    if finding.state == "absent" and model not in PRESETS and HUB_NAME.fullmatch(model):
        return replace(finding, hint=refusals.HUB_LATER)
    if finding.state == "present" and name != "tiny":
        return replace(finding, hint=f"python -m mgld upscale clip.mp4 out.mp4 --model {model}")
    return finding


def _here(model: str) -> Path:
    """Return where a model lies on this machine; raise UserError for one that does not, or not yet."""
    folder = Path(folder_of(model))
    return folder if folder.is_dir() else snapshot_of(model, local_files_only=True)


def _networks(folder: Path, name: str) -> list[Path]:
    """Return a model's files, StableSR's networks inside it among them."""
    for place in [folder, *(p for p in (folder / "stablesr",) if p.exists())]:
        for part, kind in NETS.items():
            _fitting(place, f"{name}/{place.name}" if place != folder else name, part, kind)
    manifest = folder / MANIFEST
    return sorted(folder.rglob("*.safetensors")) + ([manifest] if manifest.exists() else [])


def _fitting(folder: Path, name: str, part: str, kind: type) -> None:
    try:
        with torch.device("meta"):
            wanted = kind.from_config(kind.load_config(folder, subfolder=part)).state_dict()
    except (OSError, ValueError, TypeError, LookupError, RuntimeError) as error:
        raise FileDamaged(str(errors.model_broken(name, part, "has no usable config.json"))) from error
    shapes = _shapes(sorted((folder / part).glob("*.safetensors")))
    wrong = [key for key in wanted if shapes.get(key) != tuple(wanted[key].shape)] + [*(shapes.keys() - wanted.keys())]
    if wrong:
        raise FileDamaged(str(errors.model_broken(name, part, f"is wrong in {len(wrong)} tensors, e.g. {wrong[0]}")))


def _flow(name: str) -> list[Path]:
    files = weights_of(name)
    shapes = _shapes(files)
    if files and shapes != {source.key: source.shape for source in flow_sources(name).values()}:
        raise FileDamaged(str(errors.weights_broken(files[0].parent, f"they are not all of {name}")))
    return files


def _readable(files: list[Path]) -> list[Path]:
    _shapes(files)
    return files


def _shapes(files: list[Path]) -> dict[str, tuple[int, ...]]:
    """Read the headers of safetensors files: pointers, pages of HTML and halves of files show there."""
    shapes: dict[str, tuple[int, ...]] = {}
    for file in files:
        try:
            with safe_open(file, "np") as opened:
                shapes |= {key: tuple(opened.get_slice(key).get_shape()) for key in opened.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise FileDamaged(f"{file} is damaged: restore it.") from error
    return shapes


def _manifest(files: list[Path]) -> dict:
    """Return a converted folder's manifest, which stands last among its files; empty without one."""
    if not files or files[-1].name != MANIFEST:
        return {}
    try:
        stated = json.loads(files[-1].read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileDamaged(f"{files[-1]} is damaged: restore it.") from error
    return stated if isinstance(stated, dict) else {}


def _changed(files: list[Path], hashes: list[str]) -> Path | None:
    """Return the first file whose hash is not the manifest's."""
    outputs = _manifest(files).get("outputs", {})
    for file, digest in zip(files, hashes, strict=True):
        name = file.relative_to(files[-1].parent).as_posix() if outputs else ""
        if name in outputs and outputs[name]["sha256"] != digest:
            return file
    return None


def _licence(files: list[Path]) -> str:
    """Return what a manifest or a file's header says."""
    if stated := _manifest(files).get("licence"):
        return "; ".join(f"{whose}: {licence}" for whose, licence in stated.items())
    if not files:
        return ""
    with safe_open(files[0], "np") as opened:
        return (opened.metadata() or {}).get("licence", "")


def _checkpoint(name: str) -> Finding:
    """Look for a published file where --fetch puts it; opening it reads its list of tensors, not the tensors."""
    known, path = CHECKPOINTS[name], place_of(name)
    absent = f"python -m mgld doctor --fetch {name}" if known.repo else f"Get it from {known.where}; put it at {path}."
    finding = Finding("checkpoint", name, "absent", hint=absent, licence=known.licence)
    if not path.is_file():
        return finding
    try:
        open_checkpoint(path)
    except UserError as damaged:
        return replace(finding, state="damaged", hint=str(damaged))
    digest = sha256_of(path)
    pinned = pins().get(name, {}).get("sha256") or known.sha256
    if not digest.startswith(pinned):
        return replace(finding, state="damaged", sha256=digest, hint=f"Its sha256 should begin with {pinned[:16]}.")
    hint = f"python -m mgld convert sd21 … {known.option} {path}"
    return replace(finding, state="present", bytes=path.stat().st_size, sha256=digest, hint=hint)
