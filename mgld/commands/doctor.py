"""`doctor`: what this machine has, what it lacks, and the command that gets it."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
from dataclasses import asdict
from pathlib import Path

from mgld import errors, settings
from mgld.commands.report import write_json

LIBRARIES = ("torch", "diffusers", "transformers", "safetensors", "gradio", "av", "opencv-python", "numpy")


def add_to(commands: argparse._SubParsersAction) -> None:
    """Register the command."""
    command = commands.add_parser("doctor", help="tell what is installed, what is missing and how to get it")
    command.add_argument("--json", type=Path, metavar="REPORT", help="write the findings here")
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> None:
    """Print the findings; end non-zero if the default command could not run."""
    found = findings()
    print("\n".join(lines(found)))
    if chosen.json:
        write_json(chosen.json, found)
    lacking = [name for name, there in found["encoders"].items() if not there]
    lacking += [f["name"] for f in found["weights"] if f["name"] == "tiny" and f["state"] != "present"]
    if lacking:
        raise errors.not_ready(lacking)
    print("\nReady: python -m mgld upscale clip.mp4 out.mp4")


def findings() -> dict:
    """Return versions, device, weights, encoders and cache, JSON-ready."""
    from mgld.convert.doctor import examine
    from mgld.device import best_device, best_dtype
    from mgld.video import encoders

    device = best_device()
    cached = sorted(p for p in settings.CACHE.rglob("*") if p.is_file()) if settings.CACHE.is_dir() else []
    return {
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in LIBRARIES},
        "device": device,
        "dtype": best_dtype(device),
        "weights": [asdict(finding) for finding in examine()],
        "encoders": encoders(),
        "cache": {
            "folder": str(settings.CACHE),
            "files": {str(p.relative_to(settings.CACHE)): p.stat().st_size for p in cached},
        },
    }


def lines(found: dict) -> list[str]:
    """Return the findings as a person reads them."""
    told = [" · ".join(f"{name} {version}" for name, version in found["versions"].items())]
    told.append(f"device   {found['device']}, networks run in {found['dtype']}")
    for f in found["weights"]:
        size = f" ({f['bytes'] / 2**20:.1f} MB)" if f["bytes"] else ""
        told.append(f"{f['kind']:<8} {f['name']:<16} {f['state']}{size}{'. ' + f['hint'] if f['hint'] else ''}")
    there = ", ".join(f"{name} {'yes' if has else 'MISSING'}" for name, has in found["encoders"].items())
    told.append(f"encoders {there}")
    files = found["cache"]["files"]
    told.append(f"cache    {found['cache']['folder']}: {len(files)} files, {sum(files.values()) / 2**20:.0f} MB")
    return told


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
