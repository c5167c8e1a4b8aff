"""The bricks that the paper adds to a diffusion backbone: SFT, temporal convolution and attention, feature fusion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn

from mgld.nets.blocks import attend, bare, laid_out, residual, shifted
from mgld.nets.norm import normalised

if TYPE_CHECKING:
    from mgld.nets.triton_norm import Modulation


def conv3x3(inputs: int, outputs: int) -> nn.Conv2d:
    """Return a convolution that keeps a picture's size."""
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class SFT(nn.Module):
    """Scale and shift normalised features by maps read from the structure features (paper Fig. 2, SPADE form)."""

    def __init__(self, channels: int, condition_channels: int, hidden_channels: int, groups: int = 32) -> None:
        super().__init__()
        # The published norm is affine although its name says parameter-free.
        self.norm = nn.GroupNorm(groups, channels, eps=1e-5)
        self.shared = conv3x3(condition_channels, hidden_channels)
        self.gamma = conv3x3(hidden_channels, channels)
        self.beta = conv3x3(hidden_channels, channels)

    def forward(self, h: Tensor, condition: Tensor) -> Tensor:
        """Return n·(1+γ)+β for h [N,C,h,w] and condition [N,K,h,w]."""
        a = F.relu(self.shared(condition))
        scale = shifted(self.gamma, a, torch.ones_like(self.gamma.bias)[None])
        return torch.addcmul(self.beta(a), normalised(self.norm, h), scale)

    def maps(self, condition: Tensor) -> Modulation:
        """Return γ and β for our kernels, which add the biases themselves."""
        from mgld.nets.triton_norm import Modulation

        a = F.relu(self.shared(condition), inplace=True)
        return Modulation(bare(self.gamma, a), bare(self.beta, a), self.gamma.bias, self.beta.bias)


class TemporalConv(nn.Module):
    """Mix each pixel with the same pixel of the frame before and after: α·conv3(x) + (1-α)·x."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        # The published α is created uninitialised; 0 makes a fresh layer an identity.
        self.temporal_alpha = nn.Parameter(torch.zeros(1))
        self.temporal_conv = nn.Conv1d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map [B·T,C,h,w] to the same shape; frames is T, the frame index runs fastest."""
        n, c, h, w = x.shape
        before, now, after, bias = self._folded(x.dtype)
        rows = x.permute(0, 2, 3, 1).reshape(-1, c)  # [B·T·h·w,C], no copy in channels-last memory
        mixed = torch.addmm(bias, rows, now)
        rows, before, after = (
            v.to(mixed.dtype) for v in (rows, before, after)
        )  # autocast chose one, but not for addmm_
        # Three matrix products, added in place: ten times faster on CPUs than stacking neighbours for one convolution.
        for first in range(0, len(rows), frames * h * w):
            earlier = slice(first, first + (frames - 1) * h * w)
            later = slice(first + h * w, first + frames * h * w)
            mixed[later].addmm_(rows[earlier], before)
            mixed[earlier].addmm_(rows[later], after)
        return mixed.view(n, h, w, c).permute(0, 3, 1, 2)

    def _folded(self, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return what the frame before, the frame itself and the one after are multiplied by, [C,C] each, and the bias; with α."""
        alpha = self.temporal_alpha.float()
        before, now, after = (alpha * self.temporal_conv.weight.float()).movedim(1, 0).unbind(2)
        now = now + (1 - alpha) * torch.eye(len(now), device=now.device, dtype=now.dtype)
        bias = alpha * self.temporal_conv.bias.float()
        return before.to(dtype), now.to(dtype), after.to(dtype), bias.to(dtype)


class TemporalAttention(nn.Module):
    """Self-attention along time at every pixel: α·attention(norm(x)) + (1-α)·x; no positions, no mask."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.temporal_alpha = nn.Parameter(torch.zeros(1))
        self.norm = nn.LayerNorm(channels)
        self.temporal_attn = Attention(query_dim=channels, heads=heads, dim_head=channels // heads)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map [B·T,C,h,w] to the same shape."""
        (n, c, h, w), t = x.shape, frames
        tokens = x.permute(0, 2, 3, 1).reshape(n // t, t, h * w, c).transpose(1, 2).reshape(-1, t, c)  # [B·h·w,T,C]
        y = attend(self.temporal_attn, self.norm(tokens))
        y = y.view(n // t, h * w, t, c).transpose(1, 2).reshape(n, h, w, c).permute(0, 3, 1, 2)
        return torch.lerp(
            x, laid_out(y, x).to(x.dtype), self.temporal_alpha.to(x.dtype)
        )  # autocast may make them differ


class ResidualDense(nn.Module):
    """Five densely joined convolutions with a damped residual (ESRGAN's RDB)."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(conv3x3(channels + i * growth, growth if i < 4 else channels) for i in range(5))

    def forward(self, x: Tensor) -> Tensor:
        grown = x
        for conv in self.convs[:4]:
            grown = torch.cat([grown, F.leaky_relu(conv(grown), 0.2, inplace=not torch.is_grad_enabled())], dim=1)
        return torch.add(x, self.convs[4](grown), alpha=0.2)


class ResidualInResidualDense(nn.Module):
    """Three RDBs with an outer damped residual (ESRGAN's RRDB), as StableSR's fusion uses."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.rdbs = nn.Sequential(*(ResidualDense(channels, growth) for _ in range(3)))

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, self.rdbs(x), alpha=0.2)


DENSE_BLOCKS = {"rdb": ResidualDense, "rrdb": ResidualInResidualDense}


class FeatureFusion(nn.Module):
    """Controllable feature wrapping (CFW): add what the LQ encoder saw to the decoder's features, times w."""

    def __init__(self, channels: int, block: str = "rdb", growth: int = 32, groups: int = 32) -> None:
        super().__init__()

        def residual(inputs: int) -> ResnetBlock2D:
            return ResnetBlock2D(in_channels=inputs, out_channels=channels, temb_channels=None, groups=groups, eps=1e-6)

        self.entry = residual(2 * channels)
        self.dense = nn.Sequential(*(DENSE_BLOCKS[block](channels, growth) for _ in range(2)))
        self.exit = residual(channels)

    def forward(self, encoded: Tensor, decoded: Tensor, fidelity: float) -> Tensor:
        """Return decoded + w·u(encoded, decoded), all [N,C,h,w]; the encoder's features come first."""
        u = residual(self.entry, torch.cat([encoded, decoded], dim=1))
        return torch.add(decoded, residual(self.exit, self.dense(u)), alpha=fidelity)


GATE_BIAS = -3.0  # a fresh gate lets a twentieth through, enough to learn from


class CanvasGate(nn.Module):
    """Leave the enlarged LQ frame as it is where that is as good as it gets: what is clean and soft by itself."""

    def __init__(self, channels: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.share = conv3x3(channels, 1)
        nn.init.zeros_(self.share.weight)
        nn.init.constant_(self.share.bias, GATE_BIAS)

    def forward(self, h: Tensor, x: Tensor, canvas: Tensor, fidelity: float) -> Tensor:
        """Return x [N,3,H,W] with a share of the canvas, told by features h [N,C,H/patch,W/patch], in its place."""
        share = F.interpolate(self.share(h).sigmoid(), scale_factor=self.patch, mode="bilinear", align_corners=False)
        return x + fidelity * share * (canvas - x)
