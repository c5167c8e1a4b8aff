"""Small checkpoints in the published layout, made in code: the same names as the real ones, other widths."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from mgld.convert import official
from mgld.convert.account import SCHEDULE
from mgld.nets import StructureEncoder, VideoUNet, VideoVAE
from tests.parity import golden

WIDTH, TOKENS, VOCABULARY, LAYERS, HEADS = 24, 7, 40, 3, 3  # of the text tower
HEAD_CHANNELS = 16  # of the golden U-Net

NAMES = ("mgld_unet", "mgld_vae", "stablesr", "stablesr_vae")

State = dict[str, Tensor]


def unet() -> tuple[VideoUNet, int]:
    """Return the U-Net of golden 01a and the seed of its weights."""
    _, meta = golden.load("01a_unet_video_io")
    net = VideoUNet(
        channels=(64, 64), layers_per_block=1, attention=(True, True), head_channels=HEAD_CHANNELS,
        text_channels=WIDTH, structure_channels=32,
    )  # fmt: skip
    return net, meta["weight_seed"]


def structure() -> StructureEncoder:
    return StructureEncoder(channels=(32, 64), layers_per_block=1, attention=(True, False), out_channels=32)


def vae(block: str = "rdb") -> tuple[VideoVAE, int]:
    """Return the autoencoder of golden 03 and the seed of its weights."""
    _, meta = golden.load("03_vae_video_io")
    return VideoVAE(channels=(32, 32, 64, 64), fusion_block=block), meta["weight_seed"]


def procedural(sources: dict[str, official.Source], seed: int, prefix: str = "") -> State:
    state = golden.procedural_state({s.key: s.shape for s in sources.values()}, seed)
    return {prefix + key: value for key, value in state.items()}


class Block(nn.Module):
    """A residual attention block as OpenCLIP builds and names it."""

    def __init__(self) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attn = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.mlp = nn.Sequential()
        for name, layer in (
            ("c_fc", nn.Linear(WIDTH, 4 * WIDTH)),
            ("gelu", nn.GELU()),
            ("c_proj", nn.Linear(4 * WIDTH, WIDTH)),
        ):
            self.mlp.add_module(name, layer)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        h = self.ln_1(x)
        x = x + self.attn(h, h, h, attn_mask=mask, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class Tower(nn.Module):
    """OpenCLIP's text tower under its own names: what the converter must understand, computed independently."""

    def __init__(self) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.positional_embedding = nn.Parameter(torch.randn(TOKENS, WIDTH))
        self.transformer = nn.Module()
        self.transformer.resblocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.ln_final = nn.LayerNorm(WIDTH)
        self.text_projection = nn.Parameter(torch.randn(WIDTH, WIDTH))
        self.logit_scale = nn.Parameter(torch.tensor(4.6))

    @torch.no_grad()
    def penultimate(self) -> Tensor:
        tokens = torch.tensor([[VOCABULARY - 2, VOCABULARY - 1] + [0] * (TOKENS - 2)])
        x = self.token_embedding(tokens) + self.positional_embedding
        mask = torch.full((TOKENS, TOKENS), -torch.inf).triu(1)
        for block in self.transformer.resblocks[:-1]:
            x = block(x, mask)
        return self.ln_final(x)


def make_tower() -> Tower:
    torch.manual_seed(3)
    return Tower().eval()


@cache
def mgld_unet() -> State:
    """Return what `mgldvsr_unet.ckpt` holds, without RAFT."""
    net, seed = unet()
    encoder, tower = structure(), make_tower().state_dict()
    first_stage = {key: value for key, value in mgld_vae().items() if "temporal" not in key and "fusion" not in key}
    return {
        **{name: torch.zeros(1000) for name in SCHEDULE[:12]},
        **procedural(official.unet_sources(net), seed, "model.diffusion_model."),
        **procedural(official.structure_sources(encoder), seed, "structcond_stage_model."),
        **{f"first_stage_model.{key}": value for key, value in first_stage.items() if not key.startswith("loss.")},
        **{f"cond_stage_model.model.{key}": value for key, value in tower.items()},
    }


@cache
def mgld_vae() -> State:
    net, seed = vae()
    losses = {"loss.logvar": torch.zeros(()), "loss.discriminator.main.0.weight": torch.zeros(64, 3, 4, 4)}
    return procedural(official.vae_sources(net), seed) | losses


@cache
def stablesr() -> State:
    net, seed = unet()
    return {
        **procedural(official.unet_sources(net, stablesr=True), seed + 1, "model.diffusion_model."),
        **procedural(official.structure_sources(structure()), seed + 1, "structcond_stage_model."),
    }


@cache
def stablesr_vae() -> State:
    net, seed = vae("rrdb")
    return procedural(official.vae_sources(net, temporal=False), seed + 1)


def save(folder: Path, name: str, state: State, change: Callable[[State], State] = lambda state: state) -> Path:
    """Write a checkpoint as Lightning does; change edits its tensors first."""
    folder.mkdir(exist_ok=True)
    torch.save({"state_dict": change(state), "global_step": 42000, "epoch": 1}, folder / f"{name}.ckpt")
    return folder / f"{name}.ckpt"


UNET = "model.diffusion_model."
CONV = UNET + "input_blocks.1.0.in_layers.2.weight"


def without(name: str) -> Callable:
    return lambda state: {key: value for key, value in state.items() if key != name}


def having(name: str, value: object) -> Callable:
    return lambda state: state | {name: value}
