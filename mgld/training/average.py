"""The mean of two models' weights: what a short run learnt without the noise that it learnt it with."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from mgld.nets.loading import KINDS, open_net
from mgld.training import refusals
from mgld.training.stages import open_scheduler, save


def average(first: Path, second: Path, share: float, temporal_share: float, out: Path) -> None:
    """Write the model (1 - share)·first + share·second, with the schedule of second, into the folder out.

    Temporal layers have a share of their own: it weighs steadiness against detail; below 0 it unlearns some of what came of second
    (Ilharco et al. 2023). A mean is of use where second was trained on from first (Wortsman et al. 2022). Raises UserError where a
    network of second is of another shape in first, or is not there.
    """
    for name in (name for name in KINDS if (second / name / "config.json").exists()):
        before, after = (open_net(model, name, torch.float32) for model in (first, second))
        old, new = before.state_dict(), after.state_dict()
        if _shapes(old) != _shapes(new):
            raise refusals.models_differ(first, second, name)
        shares = {key: temporal_share if "temporal" in key else share for key in new}
        after.load_state_dict({key: (1 - shares[key]) * old[key] + shares[key] * new[key] for key in new})
        save(after, name, out)
    open_scheduler(second).save_pretrained(out / "scheduler")


def _shapes(state: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {key: value.shape for key, value in state.items()}
