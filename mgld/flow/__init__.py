"""Optical flow: networks, flow operations and the motion of a segment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from mgld import errors, host, settings
from mgld.device import OPENING
from mgld.flow.motion import FlowNetwork, Motion, estimate_motion, flow_both_ways, motion_on
from mgld.flow.raft import Raft
from mgld.flow.spynet import SpyNet
from mgld.settings import exhaustive

__all__ = [
    "FLOW_FOLDER", "NETWORKS", "FlowNetwork", "Motion", "estimate_motion", "flow_both_ways", "load_flow", "motion_on", "weights_of",
]  # fmt: skip

FLOW_FOLDER = "flow"  # of flow networks' weights, among the models and in one that has its own


def load_flow(
    name: str, device: str | torch.device, own_dir: Path | None = None, input_range: str = "trained"
) -> FlowNetwork:
    """Return the flow network called name (one of NETWORKS), ready on device; raise UserError for another or without weights.

    own_dir is where a model keeps flow weights of its own, which go before those that are shipped. input_range, one of
    settings.FLOW_RANGES, is what RAFT is fed; the others have but one.
    """
    if name not in NETWORKS:
        raise errors.bad_setting("Flow network", name, "one of " + ", ".join(NETWORKS))
    with OPENING:
        network = NETWORKS[name]()
    if not isinstance(network, torch.nn.Module):
        return network
    shards = weights_of(name, own_dir)
    try:
        state = {key: value for shard in shards for key, value in load_file(shard).items()}
        network.load_state_dict(state)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise errors.weights_broken(shards[0].parent, "they are damaged or belong to another network") from error
    if isinstance(network, Raft):
        network.input_range = input_range
    return network.float().eval().requires_grad_(False).to(device)


def weights_of(name: str, own_dir: Path | None = None) -> list[Path]:
    """Return the files of a network's weights, none for WITHOUT_WEIGHTS; raise UserError saying how to get absent ones."""
    places = (own_dir, host.MODELS / FLOW_FOLDER) if own_dir else (host.MODELS / FLOW_FOLDER,)
    shards = next(filter(None, (sorted(place.glob(f"{name}*.safetensors")) for place in places)), [])
    if not shards and name not in WITHOUT_WEIGHTS:
        raise errors.weights_missing(name, f"Convert them once: `python -m mgld convert flow {name} FILE`.")
    return shards


def _dis() -> FlowNetwork:
    from mgld.flow.dis import Dis  # OpenCV is loaded by those who use it

    return Dis()


# Makes a network, without its weights if it has any. A new network is a line here and its name in settings.
NETWORKS: dict[str, Callable[[], FlowNetwork]] = exhaustive(
    {"dis": _dis, "spynet": SpyNet, "raft": Raft}, settings.FLOWS
)
WITHOUT_WEIGHTS = ("dis",)
