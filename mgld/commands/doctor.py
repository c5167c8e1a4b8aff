"""`doctor`: what this machine has, what it lacks, and the command that gets it."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import re
from dataclasses import asdict
from pathlib import Path

from mgld import errors, host
from mgld.commands import refusals
from mgld.commands.console import say
from mgld.commands.report import check_place, write_json
from mgld.constants import LIBRARIES

ALSO_TOLD = ("transformers", "safetensors")  # beside the libraries that shape a result


def add_to(commands: argparse._SubParsersAction) -> None:
    """Register the command."""
    command = commands.add_parser("doctor", help="tell what is installed, what is missing and how to get it")
    command.add_argument("--json", type=Path, metavar="REPORT", help="write the findings here")
    command.add_argument(
        "--fetch",
        nargs="*",
        metavar="CHECKPOINT",
        help="first get these published checkpoints, or all that the Hub has",
    )
    command.add_argument("--revision", default="", metavar="COMMIT", help="of the Hub's repository, for --fetch")
    command.add_argument(
        "--sha256", nargs="+", default=[], metavar="CHECKPOINT=HASH", help="hashes that you trust, for --fetch"
    )
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> None:
    """Print the findings; end non-zero if the default command could not run."""
    check_place(chosen.json)
    if chosen.fetch is not None:
        fetch_all(chosen.fetch, chosen.revision, chosen.sha256)
    found = findings()
    print("\n".join(lines(found)))
    if chosen.json:
        write_json(chosen.json, found)
    lacking = [name for name, there in found["encoders"].items() if not there]
    lacking += [f["name"] for f in found["weights"] if f["name"] == "tiny" and f["state"] != "present"]
    if lacking:
        raise refusals.not_ready(lacking)
    print("\nReady: python -m mgld upscale clip.mp4 out.mp4")


def fetch_all(names: list[str], revision: str, trusted: list[str]) -> None:
    """Get checkpoints from the Hub; tell the revision and the hash of each, which --revision and --sha256 take."""
    from mgld.convert.fetch import CHECKPOINTS, fetch, on_hub

    hashes = dict(_hash(text) for text in trusted)
    for name in names or on_hub():
        say(f"{name}: {CHECKPOINTS[name].licence if name in CHECKPOINTS else ''}")
        fetched = fetch(name, revision, hashes.get(name, ""))
        say(f"{name}: revision {fetched['revision']}, sha256 {fetched['sha256']}")


def _hash(text: str) -> tuple[str, str]:
    name, _, digest = text.partition("=")
    if not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
        raise errors.bad_setting("--sha256", text, "CHECKPOINT=HASH with 64 hexadecimal digits")
    return name, digest


def findings() -> dict:
    """Return versions, device, weights, encoders and cache, JSON-ready."""
    from mgld.convert.doctor import examine
    from mgld.device import best_device, best_dtype
    from mgld.video import encoders

    device = best_device()
    cached = sorted(p for p in host.CACHE.rglob("*") if p.is_file()) if host.CACHE.is_dir() else []
    return {
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in (*LIBRARIES, *ALSO_TOLD)},
        "device": device,
        "dtype": best_dtype(device),
        "weights": [asdict(finding) for finding in examine()],
        "encoders": encoders(),
        "cache": {
            "folder": str(host.CACHE),
            "files": {str(p.relative_to(host.CACHE)): p.stat().st_size for p in cached},
        },
    }


def lines(found: dict) -> list[str]:
    """Return the findings as a person reads them."""
    told = [" · ".join(f"{name} {version}" for name, version in found["versions"].items())]
    told.append(f"device     {found['device']}, networks run in {found['dtype']}")
    for f in found["weights"]:
        size = f" ({f['bytes'] / 2**20:.1f} MB)" if f["bytes"] else ""
        told.append(f"{f['kind']:<10} {f['name']:<16} {f['state']}{size}{'. ' + f['hint'] if f['hint'] else ''}")
        if f["sha256"]:
            told.append(f"{'':<10} {'':<16} sha256 {f['sha256'][:16]}…{', ' + f['licence'] if f['licence'] else ''}")
    there = ", ".join(f"{name} {'yes' if has else 'MISSING'}" for name, has in found["encoders"].items())
    told.append(f"encoders   {there}")
    files = found["cache"]["files"]
    told.append(f"cache      {found['cache']['folder']}: {len(files)} files, {sum(files.values()) / 2**20:.0f} MB")
    return told


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
