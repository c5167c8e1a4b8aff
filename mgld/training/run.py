"""One training run on disk: loop, log, EMA, checkpoints that survive being killed, sample sheets."""

from __future__ import annotations

import copy
import csv
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from mgld.constants import SHEET_EVERY_STEPS
from mgld.events import counted
from mgld.plots import training_curves
from mgld.training import ranks, refusals
from mgld.video.images import write_image

log = logging.getLogger(__name__)
Sample = TypeVar("Sample")
LOST_LINES = 3  # of the log in a row whose every step was left out: a run that goes on so learns nothing, and nobody may be looking
RANK_STRIDE = 1_000_003  # keeps the noise of (rank, step) apart from that of (rank + 1, step - 1)


@dataclass(frozen=True)
class Plan:
    """What one call of a train command was asked to do."""

    folder: Path
    steps: int
    batch: int
    seed: int = 0
    learning_rate: float = 2e-4
    ema_decay: float = 0.999
    device: str = "cpu"
    dtype: str = "bfloat16"
    time_limit_s: float = float("inf")
    resume: bool = False
    compile: str | None = None  # backend of torch.compile
    log_every: int = 20
    save_every_s: float = 180.0
    sheet_every: int = SHEET_EVERY_STEPS


def checkpoint_of(plan: Plan) -> Path:
    """Return where a run of this plan keeps its state."""
    return plan.folder / "checkpoint.pt"


def first_step(plan: Plan) -> int:
    """Return the step that a run of this plan begins at: its checkpoint's if it resumes, else 0."""
    return reached(plan)[0] if plan.resume else 0


def reached(plan: Plan) -> tuple[int, float]:
    """Return the step of the plan's checkpoint and the seconds that it has trained for; zeros where there is none."""
    path = checkpoint_of(plan)
    if not path.exists():
        return 0, 0.0
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return state["step"], state["trained_s"]


def stream_seed(plan: Plan) -> int:
    """Return the seed of this session's random choices: others after every resumption, and in every process."""
    return plan.seed + first_step(plan) + RANK_STRIDE * ranks.rank()


@dataclass
class Run:
    """State of a run; `modules` and `optimizers` are saved and restored by name, `averaged` also keep an EMA copy."""

    plan: Plan
    modules: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    averaged: dict[str, nn.Module] = field(default_factory=dict)
    step: int = 0
    trained_s: float = 0.0

    def __post_init__(self) -> None:
        self.plan.folder.mkdir(parents=True, exist_ok=True)
        self.ema = {name: copy.deepcopy(module).requires_grad_(False) for name, module in self.averaged.items()}
        self._noted: dict[str, tuple[Tensor | float, int]] = {}  # sum and count
        self._waited_s, self._line_started = 0.0, time.monotonic()
        self._lost_lines = 0
        self._rates = [group["lr"] for group in self._groups()]
        torch.manual_seed(self.plan.seed)
        if self.plan.resume and self.checkpoint.exists():
            self._load()
        elif ranks.rank() == 0:
            self.log_file.unlink(missing_ok=True)  # an earlier run's
        ranks.same_start((*self.modules.values(), *self.ema.values()))
        if ranks.rank() or self.step:  # a device's own noise is in no checkpoint
            torch.cuda.manual_seed_all(stream_seed(self.plan))
        if ranks.rank():
            torch.manual_seed(stream_seed(self.plan))
        if self.on_gpu:
            self._hold_rates()
        self._trained = [
            (mean, now)
            for name, module in self.averaged.items()
            for mean, now in zip(self.ema[name].parameters(), module.parameters(), strict=True)
            if now.requires_grad
        ]

    @property
    def on_gpu(self) -> bool:
        """Tell whether the run computes on a GPU."""
        return self.plan.device.startswith("cuda")

    @property
    def replays(self) -> bool:
        """Tell whether whole steps can be recorded and replayed: not where gradients travel between processes or torch compiles."""
        return self.on_gpu and ranks.count() == 1 and not self.plan.compile

    def _groups(self) -> list[dict]:
        return [group for o in self.optimizers.values() for group in o.param_groups]

    def _hold_rates(self) -> None:
        """Keep learning rates on the device, where a recorded step reads them."""
        for group in self._groups():
            group["lr"] = torch.tensor(float(group["lr"]), device=self.plan.device)
            group["capturable"] = True

    @property
    def checkpoint(self) -> Path:
        return checkpoint_of(self.plan)

    @property
    def log_file(self) -> Path:
        return self.plan.folder / "log.csv"

    def steps(self, sheet: Callable[[], Tensor] | None = None) -> Iterator[int]:
        """Yield step numbers until the plan or its time is done; log, save and draw sheets on the way.

        sheet returns an image [3,H,W] in [0,1].
        """
        started = saved = time.monotonic()
        before, first = self.trained_s, self.step
        while self.step < self.plan.steps and self.trained_s < self.plan.time_limit_s:
            self._cool_down()
            yield self.step
            self._average()
            self.step += 1
            self.trained_s = ranks.of_first(before + time.monotonic() - started, self.plan.device)
            if ranks.rank():
                continue
            if self.step % self.plan.log_every == 0:
                self._stop_if_lost(self._write_log())
            if sheet is not None and self.step % self.plan.sheet_every == 0:
                write_image(self.plan.folder / f"sheet_{self.step:06d}.png", sheet())
            if time.monotonic() - saved > self.plan.save_every_s:
                self.save()
                saved = time.monotonic()
        if ranks.rank() == 0:
            self._finish(sheet)
            _tell_steps(self.step - first, self.trained_s - before)

    def _finish(self, sheet: Callable[[], Tensor] | None) -> None:
        self.save()
        if self._noted:  # the last line may be of fewer steps, as a short run's only one
            self._write_log()
        if sheet is not None:
            write_image(self.plan.folder / "sheet_last.png", sheet())
        if self.log_file.exists():
            training_curves(self.log_file, self.plan.folder / "curves.png")

    def update(self, name: str, loss: Tensor) -> Tensor:
        """Take one optimiser step on `loss`, gradients averaged over the processes and clipped to norm 1; return 1 if left out.

        A step whose gradients are not finite is left out: it would end the run for good. The optimiser must be a fused one: it
        reads `found_inf` on the device, so that nobody waits for the device to tell.
        """
        optimizer = self.optimizers[name]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        ranks.average_gradients(parameters)
        norm = nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.found_inf = (~torch.isfinite(norm)).float()
        optimizer.step()
        return optimizer.found_inf

    def take(self, samples: Iterator[Sample]) -> Sample:
        """Return the next sample; the log tells what share of the time went by waiting for the loader."""
        started = time.monotonic()
        sample = next(samples)
        self._waited_s += time.monotonic() - started
        return sample

    def note(self, **values: Tensor | float) -> None:
        """Add this step's figures to the next line of the log; they stay on the device until it is written."""
        for name, value in values.items():
            total, count = self._noted.get(name, (0.0, 0))
            self._noted[name] = (total + (value.detach() if isinstance(value, Tensor) else value), count + 1)

    def save(self) -> None:
        """Write everything needed to go on, in one atomic step."""
        state = {
            "step": self.step,
            "trained_s": self.trained_s,
            "random": torch.get_rng_state(),
            "modules": {k: m.state_dict() for k, m in self.modules.items()},
            "ema": {k: m.state_dict() for k, m in self.ema.items()},
            "optimizers": {k: o.state_dict() for k, o in self.optimizers.items()},
        }
        partial = self.checkpoint.with_suffix(".part")
        torch.save(state, partial)
        partial.replace(self.checkpoint)

    def _load(self) -> None:
        state = torch.load(self.checkpoint, map_location=self.plan.device, weights_only=True)
        self.step, self.trained_s = state["step"], state["trained_s"]
        torch.set_rng_state(state["random"].cpu())
        for group, saved in ((self.modules, "modules"), (self.ema, "ema"), (self.optimizers, "optimizers")):
            for name, item in group.items():
                item.load_state_dict(state[saved][name])
        self._forget_lines_after(self.step)
        log.info("resumed at step %d", self.step)

    def _forget_lines_after(self, step: int) -> None:
        """Drop what a killed run logged after its last checkpoint: those steps are about to be taken again."""
        if not self.log_file.exists():
            return
        header, *lines = self.log_file.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if int(line.split(",")[0]) <= step]
        self.log_file.write_text(header + "".join(kept), encoding="utf-8")

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.plan.ema_decay, (1 + self.step) / (10 + self.step))  # young averages forget quickly
        torch._foreach_lerp_([mean for mean, _ in self._trained], [now for _, now in self._trained], 1 - decay)

    @property
    def done(self) -> float:
        """Share of the run that is over, by steps or by time, whichever is further."""
        return max(self.step / self.plan.steps, self.trained_s / self.plan.time_limit_s)

    def _cool_down(self) -> None:
        """Keep the rate, then fall linearly to a tenth over the last 30 % (by steps or by time, whichever ends first)."""
        scale = min(1.0, max(0.1, (1 - self.done) / 0.3))
        for group, rate in zip(self._groups(), self._rates, strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate * scale)
            else:
                group["lr"] = rate * scale

    def _write_log(self) -> dict[str, float]:
        """Write and tell the means over the steps since the last line; return them."""
        means = {name: float(total) / count for name, (total, count) in self._noted.items()}
        waiting = self._waited_s / max(time.monotonic() - self._line_started, 1e-9)
        self._noted, self._waited_s, self._line_started = {}, 0.0, time.monotonic()
        row = {"step": self.step, "seconds": round(self.trained_s, 1), **{k: f"{v:.5f}" for k, v in means.items()}}
        row["waiting"] = f"{waiting:.3f}"
        new = not self.log_file.exists()
        columns = list(row) if new else self.log_file.read_text(encoding="utf-8").partition("\n")[0].strip().split(",")
        with self.log_file.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore")  # an older program's log keeps its columns
            if new:
                writer.writeheader()
            writer.writerow(row)
        left_s = max(self.trained_s / max(self.done, 1e-9) * (1 - self.done), 0.0)  # the last step may end late
        figures = " ".join(f"{k} {v}" for k, v in row.items() if k not in ("step", "seconds"))
        log.info("step %d/%d · %s · %.0f min left", self.step, self.plan.steps, figures, left_s / 60)
        return means

    def _stop_if_lost(self, means: dict[str, float]) -> None:
        """Raise UserError after some lines in a row without a step that was taken."""
        self._lost_lines = self._lost_lines + 1 if means.get("skipped") == 1 else 0
        if self._lost_lines == LOST_LINES:
            raise refusals.nothing_learnt(LOST_LINES * self.plan.log_every)


def _tell_steps(taken: int, seconds: float) -> None:
    """Say what a stage came to."""
    if taken:
        log.info("%s in %.1f min", counted(taken, "step"), seconds / 60)
    else:
        log.warning("no step was taken: its time or its steps were over before the first one")
