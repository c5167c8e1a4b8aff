"""`train corpus|autoencoder|denoiser|decoder`: what made the shipped weights, from photographs to safetensors."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

from mgld import errors, settings

# Defaults per stage: steps, clips per step, side of a training square in pixels, learning rate.
STAGES = {
    "autoencoder": (200_000, 8, 128, 4e-4),
    "denoiser": (200_000, 24, 192, 4e-4),
    "decoder": (50_000, 4, 160, 2e-4),
}

GRID_PX = 32  # a training square is whole in every network's coarsest grid


def add_to(commands: argparse._SubParsersAction) -> None:
    """Register `train` and its stages."""
    train = commands.add_parser("train", help="train the networks").add_subparsers(dest="stage", required=True)
    corpus = train.add_parser("corpus", help="pack photographs and videos into shards")
    corpus.add_argument("sources", nargs="+", type=Path, metavar="SOURCE")
    corpus.add_argument("--out", type=Path, required=True, help="folder for the shards and the manifest")
    corpus.add_argument("--licence", default="unknown", help="licence of files that no manifest.csv names")
    corpus.set_defaults(run=run_corpus)
    transfer = train.add_parser(
        "transfer", help="begin a model with other latents from a trained one of the same widths"
    )
    transfer.add_argument("trained", type=Path, metavar="MODEL", help="folder of the trained model")
    transfer.add_argument("--model", type=Path, required=True, help="folder to begin")
    transfer.add_argument("--corpus", type=Path, required=True)
    transfer.add_argument("--latent-channels", type=int, help="of the new model")
    transfer.add_argument("--seed", type=int, default=0)
    transfer.set_defaults(run=run_transfer)
    autoencoder = _stage(train, "autoencoder", "stage 0: the KL autoencoder (tiny only)")
    autoencoder.add_argument("--decoder-only", action="store_true", help="keep the latent space as it is")
    autoencoder.add_argument("--latent-channels", type=int, help="of a model that is begun here")
    autoencoder.add_argument("--widths", type=int, nargs="+", default=(), help="of a model that is begun here")
    measure = train.add_parser("measure", help="how well an autoencoder reconstructs held-out photographs")
    measure.add_argument("--corpus", type=Path, required=True)
    measure.add_argument("--model", type=Path, required=True)
    measure.add_argument("--size", type=int, default=512, metavar="PX")
    measure.add_argument("--pictures", type=int, default=12, metavar="N")
    measure.add_argument("--device", default="auto")
    measure.set_defaults(run=run_measure)
    denoiser = _stage(train, "denoiser", "stage 1: the per-frame denoiser, then its temporal layers")
    denoiser.add_argument("--phase", choices=("spatial", "temporal"), required=True)
    decoder = _stage(
        train, "decoder", "stage 2: the decoder on sampled latents, CFW per frame, then the temporal decoder"
    )
    decoder.add_argument("--phase", choices=("backbone", "frame", "joint", "temporal"), required=True)
    decoder.add_argument("--bank-clips", type=int, default=400, help="clips to sample latents of")
    decoder.add_argument("--bank-steps", type=int, default=settings.Settings.steps, help="denoising steps for them")
    decoder.add_argument("--gan-weight", type=float, default=settings.GAN_WEIGHT, help="of Eq. 8")
    decoder.add_argument(
        "--bank-guidance", type=float, default=settings.Settings.guidance, help="guidance strength for them"
    )


def _stage(train: argparse._SubParsersAction, name: str, text: str) -> argparse.ArgumentParser:
    steps, batch, side_px, rate = STAGES[name]
    command = train.add_parser(name, help=text)
    command.add_argument("--corpus", type=Path, required=True)
    command.add_argument("--model", type=Path, required=True, help="model folder to begin or go on with")
    command.add_argument("--run", type=Path, dest="folder", help="state, log and sheets (default runs/MODEL/STAGE)")
    command.add_argument("--resume", action="store_true", help="go on from the run's last checkpoint")
    command.add_argument("--steps", type=int, default=steps)
    command.add_argument(
        "--time-limit",
        type=float,
        metavar="MINUTES",
        help="finish properly once it has trained for so long, resumed parts included",
    )
    command.add_argument("--batch", type=int, default=batch)
    command.add_argument("--size", type=int, default=side_px, metavar="PX")
    command.add_argument("--frames", type=int, default=5, help="clip length of temporal phases")
    command.add_argument("--rate", type=float, default=rate, help="learning rate")
    command.add_argument("--sheet-every", type=int, default=500, metavar="STEPS")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--workers", type=int, default=1, help="processes that make samples")
    command.add_argument("--no-perceptual", action="store_true", help="train without LPIPS")
    command.add_argument("--device", default="auto")
    command.add_argument("--dtype", default="auto", choices=("auto", *settings.DTYPES[:2]))
    command.set_defaults(run=run_stage)
    return command


def run_corpus(chosen: argparse.Namespace) -> None:
    """Pack the corpus and say what is in it."""
    from mgld.commands.console import say
    from mgld.training.corpus import pack_corpus

    items = pack_corpus(chosen.sources, chosen.out, chosen.licence)
    clips = [item for item in items if item.frames > 1]
    say(
        f"{len(items) - len(clips)} photographs, {len(clips)} clips ({sum(c.frames for c in clips)} frames) → {chosen.out}"
    )


def run_stage(chosen: argparse.Namespace) -> None:
    """Run one stage or one phase of it; `torchrun --nproc-per-node N -m mgld train …` runs it in N processes."""
    _check(chosen)
    from mgld.device import device_of
    from mgld.training import ranks, stages
    from mgld.training.run import Plan

    phase = getattr(chosen, "phase", "")
    folder = chosen.folder or Path("runs") / chosen.model.name / f"{chosen.stage}-{phase}".rstrip("-")
    device = ranks.join(device_of(chosen.device))
    plan = Plan(
        folder,
        chosen.steps,
        chosen.batch,
        chosen.seed,
        chosen.rate,
        device=device,
        dtype=_training_dtype(device) if chosen.dtype == "auto" else chosen.dtype,
        time_limit_s=60 * chosen.time_limit if chosen.time_limit else float("inf"),
        resume=chosen.resume,
        sheet_every=chosen.sheet_every,
    )
    job = stages.Job(chosen.model, chosen.corpus, plan, chosen.size, chosen.workers, not chosen.no_perceptual)
    if chosen.stage == "autoencoder":
        stages.autoencoder(job, chosen.decoder_only, chosen.latent_channels, tuple(chosen.widths))
    elif chosen.stage == "denoiser":
        stages.denoiser(job, phase == "temporal", chosen.frames)
    else:
        wanted = settings.Settings(steps=chosen.bank_steps, guidance=chosen.bank_guidance, seed=chosen.seed).checked()
        stages.decoder(job, phase, chosen.frames, chosen.bank_clips, wanted, chosen.gan_weight)
    ranks.leave()


def _check(chosen: argparse.Namespace) -> None:
    """Refuse numbers that no stage can work with, before anything is loaded."""
    for name in ("steps", "batch", "frames", "sheet_every"):
        if getattr(chosen, name) < 1:
            raise errors.bad_setting(f"--{name.replace('_', '-')}", getattr(chosen, name), "1 or more")
    if chosen.size < GRID_PX or chosen.size % GRID_PX:
        raise errors.bad_setting("--size", chosen.size, f"a multiple of {GRID_PX}")
    if not 0 < chosen.rate < 1:
        raise errors.bad_setting("--rate", chosen.rate, "a number between 0 and 1")
    if not 0 <= getattr(chosen, "gan_weight", 0) < math.inf:
        raise errors.bad_setting("--gan-weight", chosen.gan_weight, "0 or more")
    if chosen.time_limit is not None and not chosen.time_limit > 0:
        raise errors.bad_setting("--time-limit", chosen.time_limit, "more than 0 minutes")


def run_measure(chosen: argparse.Namespace) -> None:
    """Print the autoencoder's figures as JSON."""
    from mgld.device import device_of
    from mgld.training import stages

    device = device_of(chosen.device)
    figures = stages.measure_autoencoder(chosen.model, chosen.corpus, chosen.size, chosen.pictures, device)
    print(json.dumps({name: round(value, 4) for name, value in figures.items()}))


def run_transfer(chosen: argparse.Namespace) -> None:
    """Write the begun model's folder."""
    from mgld.training import stages

    if chosen.latent_channels is not None and chosen.latent_channels < 1:
        raise errors.bad_setting("--latent-channels", chosen.latent_channels, "1 or more")
    stages.begin_from(chosen.trained, chosen.model, chosen.corpus, chosen.latent_channels, chosen.seed)


def _training_dtype(device: str) -> str:
    """bfloat16 on CUDA (float16 would need its gradients scaled); on CPUs whatever they multiply fastest."""
    from mgld.device import best_dtype

    return "bfloat16" if device.startswith("cuda") else best_dtype(device)
