"""Clips with the latents that our own guided sampler makes of them: what stage 2 trains on, kept on disk."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from mgld.canvas import enlarged, from_bytes, to_bytes
from mgld.nets import Cleaner
from mgld.nets.cleaner import seen
from mgld.pipeline import MGLDPipeline
from mgld.settings import Settings
from mgld.training import refusals
from mgld.training.decoder import BankedClip

log = logging.getLogger(__name__)

ORIGIN = "bank.json"
NOT_SAMPLED_WITH = (
    "backbone.decoder",
    "backbone.post_quant_conv",
    "unfold",
    "linear_decoder",
    "temporal_",
    "fusion",
    "gate",
)


def fill_bank(
    folder: Path,
    count: int,
    pipeline: MGLDPipeline,
    settings: Settings,
    pairs: Iterator[tuple[Tensor, Tensor]],
    source: str,
) -> None:
    """Sample latents until `folder` holds `count` clips; goes on where an earlier call stopped.

    pairs yields (hq [1,T,3,S,S], lq [1,T,3,S/4,S/4]) in [-1,1]; source names the corpus and the seed that they come from. Raises
    UserError if the clips that are there were made by other weights, with other settings or from another source.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _claim(folder, _origin(pipeline, settings, source))
    for number in range(count_bank(folder), count):
        hq, lq = (clip[0] for clip in next(pairs))
        x = _seen(lq.to(pipeline.device), hq.shape[-2:], pipeline.cleaner)
        z = pipeline.latents(x, Settings(**{**vars(settings), "seed": settings.seed + number}))
        clip = {"gt": to_bytes(hq), "lq": to_bytes(lq), "z": z.half().cpu()}
        partial = folder / f"{number:05d}.part"
        save_file({k: v.contiguous() for k, v in clip.items()}, partial)
        partial.replace(partial.with_suffix(".safetensors"))
        if number % 25 == 24:
            log.info("sampled %d of %d clips", number + 1, count)


def _origin(pipeline: MGLDPipeline, settings: Settings, source: str) -> dict[str, object]:
    """Tell what latents depend on."""
    return {
        "weights": sampling_sha256(pipeline),
        "dtype": str(pipeline.vae.dtype),
        "settings": asdict(settings),
        "source": source,
    }


def sampling_sha256(pipeline: MGLDPipeline) -> str:
    """Return the hash of every weight that sampling uses: what stage 2 trains, the decoder, is none of them."""
    digest = hashlib.sha256()
    nets = (pipeline.vae, pipeline.unet, pipeline.structure_encoder, pipeline.cleaner)
    for net in (net for net in nets if net is not None):
        for name, tensor in sorted(net.state_dict().items()):
            if net is not pipeline.vae or not name.startswith(NOT_SAMPLED_WITH):
                digest.update(name.encode() + tensor.float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _claim(folder: Path, origin: dict[str, object]) -> None:
    """Write down what makes this bank, or refuse to mix two."""
    known = folder / ORIGIN
    if not known.exists():
        if count_bank(folder):
            raise refusals.bank_of_another(folder, ["weights"])
        known.write_text(json.dumps(origin, indent=1), encoding="utf-8")
        return
    stored = json.loads(known.read_text(encoding="utf-8"))
    differing = [name for name in origin if stored.get(name) != origin[name]]
    if differing:
        raise refusals.bank_of_another(folder, differing)


def count_bank(folder: Path) -> int:
    """Return how many clips the bank holds."""
    return len(list(folder.glob("*.safetensors")))


@torch.no_grad()
def _seen(lq: Tensor, size_hw: tuple[int, int], cleaner: Cleaner | None) -> Tensor:
    """Return lq [T,3,h,w] as the autoencoder sees it, at size_hw."""
    return seen(lq, enlarged(lq, size_hw), cleaner)


def read_bank(folder: Path, seed: int, single_frames: bool, cleaner: Cleaner | None = None) -> Iterator[BankedClip]:
    """Yield random clips of a bank for ever; single_frames=True picks one frame of each; a cleaner mends their LQ frames."""
    files = sorted(folder.glob("*.safetensors"))
    clips = [load_file(f) for f in files]
    generator = torch.Generator().manual_seed(seed)
    while True:
        for i in torch.randperm(len(clips), generator=generator).tolist():
            gt, lq, z = clips[i]["gt"], clips[i]["lq"], clips[i]["z"]
            if single_frames:
                t = int(torch.randint(len(gt), (1,), generator=generator))
                gt, lq, z = gt[t : t + 1], lq[t : t + 1], z[t : t + 1]
            yield BankedClip(from_bytes(gt), _seen(from_bytes(lq), gt.shape[-2:], cleaner), z.float())
