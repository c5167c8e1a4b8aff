"""`train corpus|autoencoder|denoiser|decoder|distil|all`: what made the shipped weights, from photographs to safetensors."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from mgld import constants, errors, settings
from mgld.commands.train_runs import BEGINNING, GRID_PX, PHASES, SITTING, STAGES, check_squares, run_all, run_stage


def add_to(commands: argparse._SubParsersAction) -> None:
    """Register `train` and its stages."""
    train = commands.add_parser("train", help="train the networks").add_subparsers(dest="stage", required=True)
    for add in (
        _add_corpus, _add_transfer, _add_average, _add_autoencoder, _add_measure,
        _add_denoiser, _add_decoder, _add_distil, _add_all,
    ):  # fmt: skip
        add(train)


def _add_corpus(train: argparse._SubParsersAction) -> None:
    command = train.add_parser("corpus", help="pack photographs and videos into shards")
    command.add_argument("sources", nargs="+", type=Path, metavar="SOURCE")
    command.add_argument("--out", type=Path, required=True, help="folder for the shards and the manifest")
    command.add_argument("--licence", default="unknown", help="licence of files that no manifest.csv names")
    command.set_defaults(run=run_corpus)


def _add_transfer(train: argparse._SubParsersAction) -> None:
    command = train.add_parser(
        "transfer", help="begin a model with other latents from a trained one of the same widths"
    )
    command.add_argument("trained", type=Path, metavar="MODEL", help="folder of the trained model")
    command.add_argument("--model", type=Path, required=True, help="folder to begin")
    command.add_argument("--corpus", type=Path, required=True)
    command.add_argument("--latent-channels", type=int, help="of the new model")
    command.add_argument("--seed", type=int, default=0, help="of the squares that are drawn (default 0)")
    command.set_defaults(run=run_transfer)


def _add_average(train: argparse._SubParsersAction) -> None:
    command = train.add_parser("average", help="the mean of the weights of a model and of what was trained on from it")
    command.add_argument("first", type=Path, metavar="MODEL", help="folder of the model that training began from")
    command.add_argument("second", type=Path, metavar="TRAINED", help="folder of what came of it")
    command.add_argument(
        "--share", type=float, default=0.5, help="of the trained one (above 0, at most 1; default 0.5)"
    )
    command.add_argument(
        "--temporal-share", type=float, help="of its temporal layers (-1…1; below 0: away from it; default as --share)"
    )
    command.add_argument("--model", type=Path, required=True, help="folder to write")
    command.set_defaults(run=run_average)


def _add_autoencoder(train: argparse._SubParsersAction) -> None:
    command = _stage(train, "autoencoder", "stage 0: the KL autoencoder (tiny only)")
    command.add_argument("--decoder-only", action="store_true", help="keep the latent space as it is")
    command.add_argument("--latent-channels", type=int, help="of a model that is begun here")
    command.add_argument("--widths", type=int, nargs="+", default=(), help="of a model that is begun here")


def _add_measure(train: argparse._SubParsersAction) -> None:
    command = train.add_parser("measure", help="how well an autoencoder reconstructs held-out photographs")
    command.add_argument("--corpus", type=Path, required=True)
    command.add_argument("--model", type=Path, required=True)
    command.add_argument("--size", type=int, default=512, metavar="PX")
    command.add_argument("--pictures", type=int, default=12, metavar="N")
    command.add_argument("--device", default="auto")
    command.set_defaults(run=run_measure)


def _add_denoiser(train: argparse._SubParsersAction) -> None:
    command = _stage(train, "denoiser", "stage 1: the per-frame denoiser, then its temporal layers")
    command.add_argument("--phase", choices=PHASES["denoiser"], required=True)


def _add_decoder(train: argparse._SubParsersAction) -> None:
    text = "stage 2: the decoder on sampled latents, CFW per frame, then the temporal decoder"
    command = _stage(train, "decoder", text)
    command.add_argument("--phase", choices=constants.DECODER_PHASES, required=True)
    command.add_argument("--bank-clips", type=int, default=400, help="clips to sample latents of")
    command.add_argument("--bank-steps", type=int, default=settings.Settings.steps, help="denoising steps for them")
    command.add_argument("--gan-weight", type=float, default=constants.GAN_WEIGHT, help="of Eq. 8")
    command.add_argument(
        "--bank-guidance", type=float, default=settings.Settings.guidance, help="guidance strength for them"
    )


def _add_distil(train: argparse._SubParsersAction) -> None:
    text = "few steps: denoiser and decoder together, against critics, then the temporal layers; or the decoder's gate"
    command = _stage(train, "distil", text)
    command.add_argument("--phase", choices=PHASES["distil"], required=True)
    _add_distilling(command)


def _add_distilling(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--critics", type=float, default=constants.CRITICS_SHARE, metavar="SHARE",
        help="length of the critics' gradient at the picture, in that of the other losses'",
    )  # fmt: skip
    command.add_argument("--flat", type=float, default=constants.FLAT_WEIGHT, help="weight of hatches on flat ground")
    command.add_argument("--cleaner", action="store_true", help="begin a cleaning front-end, where the model has none")
    command.add_argument(
        "--gate", action="store_true", help="begin the decoder's gate for the enlarged frame, where the model has none"
    )
    command.add_argument(
        "--square", type=int, default=constants.LPIPS_SQUARE_PX, metavar="PX",
        help="square of a picture that LPIPS sees",
    )  # fmt: skip


def _add_all(train: argparse._SubParsersAction) -> None:
    """Register `train all`; it takes one stage's options, and None stands for each stage's own default."""
    command = train.add_parser("all", help="several stages in a row, one budget of time split over them")
    command.add_argument(
        "--stages", nargs="+", default=(), metavar="STAGE[:PHASE][=SHARE[@BATCH]]",
        help=f"default: {' '.join(SITTING)}; {BEGINNING} before them where the model has no autoencoder",
    )  # fmt: skip
    _add_common(command)
    _add_distilling(command)
    command.set_defaults(run=run_all)


def _stage(train: argparse._SubParsersAction, name: str, text: str) -> argparse.ArgumentParser:
    command = train.add_parser(name, help=text)
    _add_common(command, STAGES[name])
    command.set_defaults(run=run_stage)
    return command


NUMBERS = (  # of a stage, in the order of STAGES
    ("steps", int, "N", "stop after this many steps"),
    ("batch", int, "N", "clips or stills in a step, of each process"),
    ("size", int, "PX", f"side of the squares that are trained on, a multiple of {GRID_PX}"),
    ("rate", float, "N", "learning rate"),
)


def _add_common(command: argparse.ArgumentParser, own: Sequence[float | None] = (None,) * len(NUMBERS)) -> None:
    """Add what every stage has; own are the defaults of NUMBERS, None for each stage's own."""
    command.add_argument("--corpus", type=Path, required=True)
    command.add_argument("--model", type=Path, required=True, help="model folder to begin or go on with")
    command.add_argument(
        "--config", type=Path, metavar="JSON", help="shapes of networks that are begun: {NETWORK: {NAME: VALUE}}"
    )
    command.add_argument("--run", type=Path, dest="folder", help="state, log and sheets (default runs/MODEL/STAGE)")
    command.add_argument("--resume", action="store_true", help="go on from the run's last checkpoint")
    for (name, kind, unit, text), default in zip(NUMBERS, own, strict=True):
        told = f"{text} (default {'the stage’s own' if default is None else f'{default:g}'})"
        command.add_argument(f"--{name}", type=kind, metavar=unit, default=default, help=told)
    command.add_argument(
        "--time-limit",
        type=float,
        metavar="MINUTES",
        help="finish properly once it has trained for so long, resumed parts included",
    )
    command.add_argument("--frames", type=int, default=5, help="clip length of temporal phases")
    command.add_argument("--sheet-every", type=int, default=constants.SHEET_EVERY_STEPS, metavar="STEPS")
    command.add_argument("--seed", type=int, default=0, help="of everything that is drawn (default 0)")
    command.add_argument(
        "--workers", type=int, help="processes that make samples (default: all cores but the one that trains)"
    )
    command.add_argument("--no-perceptual", action="store_true", help="train without LPIPS")
    command.add_argument("--compile", metavar="BACKEND", help="torch.compile the networks (few-step stage): inductor")
    command.add_argument("--device", default="auto")
    command.add_argument("--dtype", default="auto", choices=("auto", *settings.DTYPES[:2]))


def run_corpus(chosen: argparse.Namespace) -> None:
    """Pack the corpus and say what is in it."""
    from mgld.commands.console import say
    from mgld.training.corpus import pack_corpus

    items = pack_corpus(chosen.sources, chosen.out, chosen.licence)
    clips = [item for item in items if item.frames > 1]
    say(
        f"{len(items) - len(clips)} photographs, {len(clips)} clips ({sum(c.frames for c in clips)} frames) → {chosen.out}"
    )


def run_measure(chosen: argparse.Namespace) -> None:
    """Print the autoencoder's figures as JSON."""
    check_squares(chosen, "pictures")
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


def run_average(chosen: argparse.Namespace) -> None:
    """Write the mean's folder."""
    if not 0 < chosen.share <= 1:
        raise errors.bad_setting("--share", chosen.share, "a number above 0 and at most 1")
    temporal = chosen.share if chosen.temporal_share is None else chosen.temporal_share
    if not -1 <= temporal <= 1:
        raise errors.bad_setting("--temporal-share", temporal, "a number from -1 to 1")
    from mgld.training.average import average

    average(chosen.first, chosen.second, chosen.share, temporal, chosen.model)
