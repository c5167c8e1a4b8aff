"""Optical flow: networks, flow operations and the motion of a segment."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from mgld import errors, settings
from mgld.flow.motion import FlowNetwork, Motion, estimate_motion

__all__ = ["FlowNetwork", "Motion", "estimate_motion", "load_flow"]


def load_flow(name: str, device: str | torch.device, weights_dir: Path | None = None) -> FlowNetwork:
    """Return the flow network called name ("dis", "spynet" or "raft"), ready on device."""
    if name not in settings.FLOWS:
        raise errors.bad_setting("Flow network", name, "one of " + ", ".join(settings.FLOWS))
    if name == "dis":
        from mgld.flow.dis import Dis

        return Dis()
    network = make_network(name)
    folder = Path(weights_dir or settings.MODELS / "flow")
    shards = sorted(folder.glob(f"{name}*.safetensors"))
    if not shards:
        raise errors.weights_missing(name, f"Convert them once: `python -m mgld convert flow {name} FILE`.")
    try:
        state = {key: value for shard in shards for key, value in load_file(shard).items()}
        network.load_state_dict(state)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise errors.weights_broken(folder, "they are damaged or belong to another network") from error
    return network.float().eval().requires_grad_(False).to(device)


def make_network(name: str) -> torch.nn.Module:
    """Build the network without weights."""
    if name == "spynet":
        from mgld.flow.spynet import SpyNet

        return SpyNet()
    from mgld.flow.raft import Raft

    return Raft()
