"""How the blocks of diffusers' backbones are run: channels-last from end to end, norms fused with what stands around them.

The parameters are diffusers'; its own forward methods copy between layouts, divide by one and add biases in passes of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from diffusers.models.attention import BasicTransformerBlock, FeedForward
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.unets.unet_2d_blocks import UNetMidBlock2D
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn

from mgld.nets.doubling import doubled_convolved, doubles
from mgld.nets.norm import is_fused, normalised

if TYPE_CHECKING:
    from mgld.nets.layers import SFT


def residual(
    block: ResnetBlock2D, x: Tensor, emb: Tensor | None = None, sft: SFT | None = None, condition: Tensor | None = None
) -> Tensor:
    """Run a residual block on x [N,C,h,w].

    emb [1 or N,E] is the time embedding, already through SiLU. sft modulates the branch by condition [N,K,h,w] just before the skip
    is added (spec §1.2).
    """
    return (_fused_residual if is_fused(x) else _plain_residual)(block, x, emb, sft, condition)


def _plain_residual(
    block: ResnetBlock2D, x: Tensor, emb: Tensor | None, sft: SFT | None, condition: Tensor | None
) -> Tensor:
    h = shifted(block.conv1, normalised(block.norm1, x, silu=True), None if emb is None else block.time_emb_proj(emb))
    h = block.conv2(normalised(block.norm2, h, silu=True))
    if sft is not None:
        h = sft(h, condition)
    return summed(h, x if block.conv_shortcut is None else block.conv_shortcut(x))


def _fused_residual(
    block: ResnetBlock2D, x: Tensor, emb: Tensor | None, sft: SFT | None, condition: Tensor | None
) -> Tensor:
    """Do the same in three convolutions and three norms: what convolutions and the time embedding add rides along."""
    from mgld.nets import triton_norm

    offset = None if emb is None else block.time_emb_proj(emb)
    h = bare(block.conv1, normalised(block.norm1, x, silu=True))
    norm = block.norm2
    h = triton_norm.group_norm(h, norm.num_groups, norm.weight, norm.bias, norm.eps, True, block.conv1.bias, offset)
    h = bare(block.conv2, h)
    shortcut = block.conv_shortcut
    skip = triton_norm.Skip(x, None) if shortcut is None else triton_norm.Skip(bare(shortcut, x), shortcut.bias)
    if sft is None:
        return triton_norm.joined(h, block.conv2.bias, skip)
    norm, maps = sft.norm, sft.maps(condition)
    return triton_norm.group_norm(
        h, norm.num_groups, norm.weight, norm.bias, norm.eps, False, block.conv2.bias, None, maps, skip
    )


def shifted(conv: nn.Conv2d, x: Tensor, offset: Tensor | None) -> Tensor:
    """Return a convolution of x plus offset [1 or N,C]; one offset for all is added to the bias, not to every pixel."""
    if offset is None:
        return conv(x)
    if len(offset) > 1:
        return conv(x) + offset[:, :, None, None]
    return conv._conv_forward(x, conv.weight, conv.bias + offset[0])


def summed(made: Tensor, x: Tensor) -> Tensor:
    """Return made + x; written over what was made for this alone, where no gradient will ask for it."""
    return made + x if torch.is_grad_enabled() or made.dtype != x.dtype else made.add_(x)


def bare(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """Return a convolution of x without its bias."""
    return F.conv2d(x, conv.weight, None, conv.stride, conv.padding)


def middle(block: UNetMidBlock2D, x: Tensor, emb: Tensor | None = None) -> Tensor:
    """Run residual blocks with attention between them on x [N,C,h,w]."""
    x = residual(block.resnets[0], x, emb)
    for attention, resnet in zip(block.attentions, block.resnets[1:], strict=True):
        x = residual(resnet, x if attention is None else spatial_attention(attention, x), emb)
    return x


def spatial_attention(attention: Attention, x: Tensor) -> Tensor:
    """Return x [N,C,h,w] plus self-attention over its pixels, normalised by groups."""
    return _plus(x, attend(attention, _tokens(normalised(attention.group_norm, x))))


def transformed(block: Transformer2DModel, x: Tensor, text: Tensor) -> Tensor:
    """Return x [N,C,h,w] plus transformer layers over its pixels, which also look at text [N,L,D]."""
    tokens = block.proj_in(_tokens(normalised(block.norm, x)))
    for layer in block.transformer_blocks:
        tokens = _layer(layer, tokens, text)
    return _plus(x, block.proj_out(tokens))


def _layer(layer: BasicTransformerBlock, tokens: Tensor, text: Tensor) -> Tensor:
    tokens = summed(attend(layer.attn1, layer.norm1(tokens)), tokens)
    if (
        text.shape[1] == 1 and not torch.is_grad_enabled()
    ):  # all attention goes to the only token there is, whoever asks
        tokens = tokens + layer.attn2.to_out[0](layer.attn2.to_v(text))
    else:
        tokens = summed(attend(layer.attn2, layer.norm2(tokens), text), tokens)
    return summed(_feed_forward(layer.ff, layer.norm3(tokens)), tokens)


def _feed_forward(layer: FeedForward, tokens: Tensor) -> Tensor:
    if not is_fused(tokens):
        return layer(tokens)
    from mgld.nets.triton_norm import gated

    return layer.net[2](gated(layer.net[0].proj(tokens)))


def attend(attention: Attention, tokens: Tensor, context: Tensor | None = None) -> Tensor:
    """Return attention of tokens [N,L,C] to context [N,M,D], or to themselves."""
    context = tokens if context is None else context
    q, k, v = attention.to_q(tokens), attention.to_k(context), attention.to_v(context)
    q, k, v = (part.unflatten(-1, (attention.heads, -1)).transpose(1, 2) for part in (q, k, v))  # [N,heads,L,C/heads]
    y = F.scaled_dot_product_attention(q, k, v)
    return attention.to_out[0](y.transpose(1, 2).flatten(2))


def enlarged(block: Upsample2D, x: Tensor) -> Tensor:
    """Return the convolution of x [N,C,h,w] with its sides doubled."""
    if doubles(block.conv, x):
        return doubled_convolved(block.conv, x)
    if not is_fused(x):
        return block(x)
    from mgld.nets.triton_norm import doubled

    return block.conv(doubled(x))


def _tokens(x: Tensor) -> Tensor:
    """Return x [N,C,h,w] as [N,h·w,C]: a view of channels-last memory."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def _plus(x: Tensor, tokens: Tensor) -> Tensor:
    """Return x [N,C,h,w] plus tokens [N,h·w,C], made for this alone."""
    return summed(laid_out(tokens.unflatten(1, x.shape[-2:]).permute(0, 3, 1, 2), x), x)


def laid_out(y: Tensor, x: Tensor) -> Tensor:
    """Return y, which lies channels-last, as x does: a sum over two layouts would read one of them across the grain."""
    return y if x.is_contiguous(memory_format=torch.channels_last) else y.contiguous()
