"""Blocks without gradients write over what nobody else reads, and compute what they compute with them."""

from __future__ import annotations

import pytest
import torch
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel

from mgld.nets.blocks import residual, transformed
from mgld.nets.layers import SFT


def both_ways(run, *given: torch.Tensor) -> None:
    """Compare a run with gradients to one without, which must leave its inputs alone."""
    given[0].requires_grad_(True)  # torch 2.13 crashes in a channels-last group norm whose input needs no gradient
    kept = [x.clone() for x in given]
    learned = run()
    with torch.no_grad():
        torch.testing.assert_close(run(), learned.detach(), atol=1e-5, rtol=1e-5)
    for x, before in zip(given, kept, strict=True):
        assert torch.equal(x, before)
    learned.square().mean().backward()
    given[0].requires_grad_(False)


@pytest.mark.parametrize("inputs", [16, 32])
@pytest.mark.parametrize("embeddings", [0, 1, 2])
def test_a_residual_block(inputs, embeddings):
    torch.manual_seed(0)
    block = ResnetBlock2D(in_channels=inputs, out_channels=32, temb_channels=8, groups=8)
    sft, x, condition = SFT(32, 6, 4, groups=8), torch.randn(2, inputs, 6, 5), torch.randn(2, 6, 6, 5)
    emb = torch.randn(embeddings, 8) if embeddings else None
    both_ways(lambda: residual(block, x, emb, sft, condition), x, condition)
    both_ways(lambda: residual(block, x, emb), x)


@torch.no_grad()
def test_a_residual_block_is_diffusers():
    torch.manual_seed(0)
    block = ResnetBlock2D(in_channels=16, out_channels=32, temb_channels=8, groups=8)
    x, emb = torch.randn(2, 16, 6, 5), torch.randn(1, 8)
    torch.testing.assert_close(residual(block, x, torch.nn.functional.silu(emb)), block(x, emb), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tokens", [1, 7])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_transformer_is_diffusers_with_gradients_and_without(tokens, layout):
    torch.manual_seed(0)
    block = Transformer2DModel(
        num_attention_heads=2, attention_head_dim=32, in_channels=64, cross_attention_dim=5, norm_num_groups=4,
        use_linear_projection=True,
    )  # fmt: skip
    x, text = torch.randn(2, 64, 6, 5).contiguous(memory_format=layout), torch.randn(2, tokens, 5)
    both_ways(lambda: transformed(block, x, text), x, text)
    theirs = block(x, encoder_hidden_states=text, return_dict=False)[0]
    torch.testing.assert_close(transformed(block, x, text), theirs, atol=1e-5, rtol=1e-5)
