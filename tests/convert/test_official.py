"""The published layout: every tensor of the checkpoints has its place in our networks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from mgld.convert import official
from mgld.errors import UserError
from mgld.nets import StructureEncoder, VideoUNet, VideoVAE

KEYS = json.loads((Path(__file__).parent.parent / "golden" / "full_keys.json").read_text())
QUANT = {
    "quant_conv.weight": [8, 8, 1, 1],
    "quant_conv.bias": [8],
    "post_quant_conv.weight": [4, 4, 1, 1],
    "post_quant_conv.bias": [4],
}


def shapes(sources: dict) -> dict[str, list[int]]:
    return {source.key: list(source.shape) for source in sources.values()}


def published_vae(decoder: str) -> dict[str, list[int]]:
    encoder = {f"encoder.{k}": v for k, v in KEYS["enc"].items()}
    return {**encoder, **QUANT, **{f"decoder.{k}": v for k, v in KEYS[decoder].items()}}


def test_every_published_tensor_has_its_place():
    with torch.device("meta"):
        assert shapes(official.unet_sources(VideoUNet())) == KEYS["unet"]
        assert shapes(official.structure_sources(StructureEncoder())) == KEYS["structcond"]
        assert shapes(official.vae_sources(VideoVAE())) == published_vae("vdec")
        stablesr = VideoVAE(fusion_block="rrdb")
        assert shapes(official.vae_sources(stablesr, temporal=False)) == published_vae("cdec")
        assert shapes(official.vae_sources(stablesr, temporal=False, fusion=False)) == published_vae("dec")


def test_a_checkpoint_with_holes_is_refused_with_an_example():
    net = StructureEncoder(latent_channels=4, channels=(32, 32), layers_per_block=1, attention=(False, True))
    sources = official.structure_sources(net)
    state = {s.key: torch.zeros(s.shape) for s in sources.values()}
    assert set(official.convert(state, sources)) == set(net.state_dict())
    state["surprise"] = state.pop("input_blocks.0.0.bias")
    with pytest.raises(UserError, match="1 missing, 1 unexpected"):
        official.convert(state, sources)
