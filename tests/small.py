"""The smallest networks with every part in place."""

from __future__ import annotations

import torch
from diffusers import DDPMScheduler

from mgld.nets import StructureEncoder, VideoUNet, VideoVAE
from mgld.pipeline import MGLDPipeline
from mgld.presets import TINY

SMALL = {"norm_groups": 8}


def small_vae(canvas_gate: bool = False) -> VideoVAE:
    return VideoVAE(
        latent_channels=4, channels=(16, 32), layers_per_block=1, patch=4, middle_attention=False, fusion_levels=(0, 1),
        fusion_growth=4, canvas_gate=canvas_gate, **SMALL,
    )  # fmt: skip


def small_unet() -> VideoUNet:
    return VideoUNet(
        latent_channels=4, channels=(16, 32), layers_per_block=1, attention=(False, True), head_channels=16,
        text_channels=8, text_tokens=1, structure_channels=16, sft_channels=8, sample_size=16, smallest_sample=8, **SMALL,
    )  # fmt: skip


def small_structure_encoder() -> StructureEncoder:
    return StructureEncoder(
        latent_channels=4, channels=(16, 32), layers_per_block=1, attention=(False, True), out_channels=16, **SMALL
    )


def small_networks() -> tuple[VideoVAE, VideoUNet, StructureEncoder, DDPMScheduler]:
    """Return what a pipeline is made of, with random weights."""
    return small_vae(), small_unet(), small_structure_encoder(), DDPMScheduler(**TINY["scheduler"])


def small_pipeline() -> MGLDPipeline:
    """Return random weights, the same ones each time, with temporal layers switched on."""
    torch.manual_seed(0)
    *nets, scheduler = small_networks()
    for net in nets:
        net.requires_grad_(False).eval()
        for name, parameter in net.named_parameters():
            if name.endswith("temporal_alpha"):
                parameter.fill_(0.3)
    return MGLDPipeline(*nets, scheduler)
