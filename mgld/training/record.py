"""What a model folder tells of its own making: one line per finished stage in training.md."""

from __future__ import annotations

import hashlib
import platform
import shlex
import time
from pathlib import Path

import torch

from mgld.training.run import Plan

FILE = "training.md"
COLUMNS = ("finished", "command", "corpus (sha256)", "seed", "steps", "minutes", "device", "torch")


def corpus_sha256(corpus: Path) -> str:
    """Return the hash of the corpus' manifest, which holds the hash of every photograph and clip."""
    return hashlib.sha256((corpus / "manifest.csv").read_bytes()).hexdigest()


def record_run(model: Path, corpus: Path, command: list[str], plan: Plan, steps: int, trained_s: float) -> None:
    """Add a line to the model folder's table; it begins one where there is none."""
    table = model / FILE
    if not table.exists():
        table.write_text(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}\n", encoding="utf-8")
    device = torch.cuda.get_device_name() if plan.device.startswith("cuda") else f"{platform.machine()} CPU"
    values = (
        time.strftime("%Y-%m-%d %H:%M"),
        f"`{shlex.join(command)}`",
        corpus_sha256(corpus)[:16],
        plan.seed,
        steps,
        f"{trained_s / 60:.1f}",
        device,
        torch.__version__,
    )
    with table.open("a", encoding="utf-8") as file:
        file.write(f"| {' | '.join(map(str, values))} |\n")
