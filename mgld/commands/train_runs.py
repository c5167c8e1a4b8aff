"""What `train STAGE` and `train all` run: numbers checked, plans made, stages called."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mgld import errors, settings
from mgld.commands import refusals

if TYPE_CHECKING:
    from mgld.training.run import Plan
    from mgld.training.stages import Job

# Defaults per stage: steps, clips per step, side of a training square in pixels, learning rate.
STAGES = {
    "autoencoder": (200_000, 8, 128, 4e-4),
    "denoiser": (200_000, 24, 192, 4e-4),
    "decoder": (50_000, 4, 160, 2e-4),
    "distil": (100_000, 8, 128, 5e-5),
}
# What `train all` does unless told otherwise, and each one's share of its time; the first where the model has no autoencoder yet.
BEGINNING = "autoencoder=25"
SITTING = ("denoiser:spatial=22", "distil:spatial=54", "denoiser:temporal=4", "distil:temporal=20")
PHASES = {  # of the stages that `train all` can do
    "autoencoder": ("",),
    "denoiser": ("spatial", "temporal"),
    "distil": ("spatial", "temporal", "gate"),
}
NETWORKS = ("vae", "unet", "structure_encoder", "cleaner")

GRID_PX = 32  # a training square is whole in every network's coarsest grid


def run_stage(chosen: argparse.Namespace) -> None:
    """Run one stage or one phase of it; `torchrun --nproc-per-node N -m mgld train …` runs it in N processes."""
    _check(chosen)
    from mgld.training import ranks

    device = _join(chosen)
    phase = getattr(chosen, "phase", "")
    with _losses_told():
        _run(chosen.stage, phase, chosen, _job(chosen.stage, phase, chosen, device, _limit_s(chosen)))
    ranks.leave()


@contextmanager
def _losses_told() -> Iterator[None]:
    """Say that a loss can be left out where its numbers are absent."""
    from mgld.metrics.stored import NotStored

    try:
        yield
    except NotStored as absent:
        raise refusals.loss_missing(absent) from absent


def run_all(chosen: argparse.Namespace) -> None:
    """Run the named stages one after another within --time-limit, or for the steps that are named."""
    parts = [_part(text) for text in chosen.stages or _usual(chosen.model)]
    for stage, _, _, batch in parts:
        _check(_with_defaults(chosen, stage, batch))
    if chosen.time_limit is None and chosen.steps is None:
        raise errors.bad_setting("--time-limit", None, "given, or --steps")
    _shapes(chosen.config)
    from mgld.metrics import stored
    from mgld.training import ranks
    from mgld.training.sitting import StageShare, sit

    if not chosen.no_perceptual:
        for needed in (stored.VGG, *((stored.DISTS,) if "distil" in {stage for stage, *_ in parts} else ())):
            with _losses_told():
                needed.found()  # before the first stage has spent its share
    device = _join(chosen)

    def part(stage: str, phase: str, share: float, batch: int | None) -> StageShare:
        own = _with_defaults(chosen, stage, batch)

        def run(limit_s: float) -> None:
            _run(stage, phase, own, _job(stage, phase, own, device, limit_s))

        return StageShare(f"{stage} {phase}".strip(), share, _job(stage, phase, own, device, 0.0).plan, run)

    sit([part(*p) for p in parts], _limit_s(chosen))
    ranks.leave()


def _usual(model: Path) -> tuple[str, ...]:
    """Return the stages that a model needs."""
    return SITTING if (model / "vae" / "config.json").exists() else (BEGINNING, *SITTING)


def _part(text: str) -> tuple[str, str, float, int | None]:
    """Read STAGE[:PHASE][=SHARE[@BATCH]]."""
    name, _, numbers = text.partition("=")
    stage, _, phase = name.partition(":")
    share, at, batch = numbers.partition("@")
    try:
        weight, clips = float(share or 1), int(batch) if at else None
    except ValueError:
        weight, clips = 0.0, None
    if not (0 < weight < math.inf) or phase not in PHASES.get(stage, ()):
        allowed = " ".join(f"{s}:{p}".rstrip(":") for s, phases in PHASES.items() for p in phases)
        raise errors.bad_setting("--stages", text, f"STAGE:PHASE=SHARE@BATCH with a share above 0; stages: {allowed}")
    return stage, phase, weight, clips


def _with_defaults(chosen: argparse.Namespace, stage: str, batch: int | None) -> argparse.Namespace:
    """Fill in the stage's own batch, and its default for every number that `train all` was not given."""
    values = dict(zip(("steps", "batch", "size", "rate"), STAGES[stage], strict=True))
    given = {k: getattr(chosen, k) for k in values if getattr(chosen, k) is not None}
    return argparse.Namespace(**vars(chosen) | values | given | ({} if batch is None else {"batch": batch}))


def _join(chosen: argparse.Namespace) -> str:
    from mgld.device import device_of
    from mgld.training import ranks

    return ranks.join(device_of(chosen.device))


def _limit_s(chosen: argparse.Namespace) -> float:
    return 60 * chosen.time_limit if chosen.time_limit else math.inf


def _job(stage: str, phase: str, chosen: argparse.Namespace, device: str, limit_s: float) -> Job:
    from mgld.training import stages

    workers = max((os.cpu_count() or 2) - 1, 1) if chosen.workers is None else chosen.workers
    return stages.Job(
        chosen.model,
        chosen.corpus,
        _plan(f"{stage}-{phase}".rstrip("-"), chosen, device, limit_s),
        chosen.size,
        workers,
        not chosen.no_perceptual,
        _shapes(chosen.config),
        ("python", "-m", "mgld", *sys.argv[1:]),
    )


def _plan(name: str, chosen: argparse.Namespace, device: str, limit_s: float) -> Plan:
    from mgld.training.run import Plan

    folder = chosen.folder or Path("runs") / chosen.model.name
    return Plan(
        folder if chosen.folder and chosen.stage != "all" else folder / name,
        chosen.steps,
        chosen.batch,
        chosen.seed,
        chosen.rate,
        device=device,
        dtype=_training_dtype(device) if chosen.dtype == "auto" else chosen.dtype,
        time_limit_s=limit_s,
        resume=chosen.resume,
        compile=chosen.compile,
        sheet_every=chosen.sheet_every,
    )


def _run(stage: str, phase: str, chosen: argparse.Namespace, job: Job) -> None:
    from mgld.training import stages
    from mgld.training.distil import Weights

    if stage == "autoencoder":
        shape = getattr(chosen, "latent_channels", None), tuple(getattr(chosen, "widths", ()))
        stages.autoencoder(job, getattr(chosen, "decoder_only", False), *shape)
    elif stage == "denoiser":
        stages.denoiser(job, phase == "temporal", chosen.frames)
    elif stage == "distil":
        weights = Weights(chosen.critics, chosen.flat)
        stages.distil(job, phase, chosen.frames, weights, chosen.square, chosen.cleaner, chosen.gate)
    else:
        wanted = settings.Settings(steps=chosen.bank_steps, guidance=chosen.bank_guidance, seed=chosen.seed).checked()
        stages.decoder(job, phase, chosen.frames, chosen.bank_clips, wanted, chosen.gan_weight)


def _shapes(path: Path | None) -> dict[str, dict[str, object]]:
    """Read --config."""
    if path is None:
        return {}
    if not path.exists():
        raise errors.file_missing(path)
    try:
        shapes = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise refusals.config_broken(path, "it is not JSON") from error
    if not isinstance(shapes, dict) or not all(isinstance(shape, dict) for shape in shapes.values()):
        raise refusals.config_broken(path, "it is not a table of networks")
    if unknown := sorted(set(shapes) - set(NETWORKS)):
        raise refusals.config_broken(path, f"there is no network {unknown[0]!r}, only {', '.join(NETWORKS)}")
    return shapes


def _check(chosen: argparse.Namespace) -> None:
    """Refuse numbers that no stage can work with, before anything is loaded."""
    check_squares(chosen, "steps", "batch", "frames", "sheet_every", "bank_clips")
    if not 0 < chosen.rate < 1:
        raise errors.bad_setting("--rate", chosen.rate, "a number between 0 and 1")
    if not 0 <= getattr(chosen, "gan_weight", 0) < math.inf:
        raise errors.bad_setting("--gan-weight", chosen.gan_weight, "0 or more")
    for name in ("critics", "flat"):
        if not 0 <= getattr(chosen, name, 0) < math.inf:
            raise errors.bad_setting(f"--{name}", getattr(chosen, name), "0 or more")
    if getattr(chosen, "square", GRID_PX) < GRID_PX:
        raise errors.bad_setting("--square", chosen.square, f"{GRID_PX} or more")
    if chosen.workers is not None and chosen.workers < 0:
        raise errors.bad_setting("--workers", chosen.workers, "0 or more")
    if chosen.time_limit is not None and not chosen.time_limit > 0:
        raise errors.bad_setting("--time-limit", chosen.time_limit, "more than 0 minutes")


def check_squares(chosen: argparse.Namespace, *counts: str) -> None:
    """Refuse a count of none, of those that a command has, and a square that no network can work with."""
    for name in counts:
        if getattr(chosen, name, 1) < 1:
            raise errors.bad_setting(f"--{name.replace('_', '-')}", getattr(chosen, name), "1 or more")
    if chosen.size < GRID_PX or chosen.size % GRID_PX:
        raise errors.bad_setting("--size", chosen.size, f"a multiple of {GRID_PX}")


def _training_dtype(device: str) -> str:
    """bfloat16 on CUDA (float16 would need its gradients scaled); on CPUs whatever they multiply fastest."""
    from mgld.device import best_dtype

    return "bfloat16" if device.startswith("cuda") else best_dtype(device)
