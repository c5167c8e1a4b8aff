"""The mean of two models' weights: what a short run learnt without the noise that it learnt it with."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from mgld.nets.loading import KINDS, open_net
from mgld.training import refusals
from mgld.training.stages import open_scheduler, save


def average(first: Path, second: Path, share: float, temporal_share: float, out: Path) -> None:
    """Write the model (1 - share)·first + share·second, with the schedule of second, into the folder out.

    Temporal layers have a share of their own: it weighs steadiness against detail. A mean is of use where second was trained on
    from first (Wortsman et al. 2022). Raises UserError where a network of second is of another shape in first, or is not there.
    """
    for name in (name for name in KINDS if (second / name / "config.json").exists()):
        before, after = (open_net(model, name, torch.float32) for model in (first, second))
        if shapes(before) != shapes(after):
            raise refusals.models_differ(first, second, name)
        old, shares = (
            before.state_dict(),
            {key: temporal_share if "temporal" in key else share for key in shapes(after)},
        )
        after.load_state_dict({k: (1 - shares[k]) * old[k] + shares[k] * new for k, new in after.state_dict().items()})
        save(after, name, out)
    open_scheduler(second).save_pretrained(out / "scheduler")


def shapes(net: nn.Module) -> dict[str, torch.Size]:
    """Return the shape of every tensor by its name."""
    return {key: value.shape for key, value in net.state_dict().items()}
