"""The video autoencoder: diffusers' AutoencoderKL, temporal convolutions in the decoder, feature fusion (CFW)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from diffusers import AutoencoderKL, ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import Tensor, nn
from torch.nn import functional as F

from mgld.abreast import abreast
from mgld.device import constant
from mgld.nets.blocks import enlarged, middle, residual, spatial_attention
from mgld.nets.layers import CanvasGate, FeatureFusion, TemporalConv
from mgld.nets.norm import normalised

SMOOTH = {2: (1, 2, 1), 4: (-1, 4, 10, 4, -1)}  # n → 1 - sinⁿ(ω/2), but for the sum


class VideoVAE(ModelMixin, ConfigMixin):
    """Encode frames one by one; decode them together (paper §3.3).

    patch > 1 folds patch×patch pixels into channels in front of the encoder, and unfolds them behind the decoder with a few cheap
    convolutions at full resolution, which keep the patch grid out of flat areas; of each frequency ω of their picture 1 - sinⁿ(ω/2)
    is left, n = smoothing. linear=True lays a linear map of whole cells beside the convolutions of both: PCA sets it, and the
    convolutions learn only what it cannot do. canvas_gate=True has the decoder leave the LQ frame as it is where it cannot be
    bettered; CFW's features end with that frame then.
    """

    @register_to_config
    def __init__(
        self,
        latent_channels: int = 4,
        channels: tuple[int, ...] = (128, 256, 512, 512),
        layers_per_block: int = 2,
        patch: int = 1,
        pixel_channels: int = 8,
        smoothing: int = 4,
        linear: bool = False,
        canvas_gate: bool = False,
        middle_attention: bool = True,
        fusion_levels: tuple[int, ...] = (1, 2),
        fusion_block: str = "rdb",
        fusion_growth: int = 32,
        scaling_factor: float = 0.18215,
        norm_groups: int = 32,
    ) -> None:
        super().__init__()
        levels = len(channels)
        self.backbone = AutoencoderKL(
            in_channels=3 * patch**2,
            out_channels=3 if patch == 1 else pixel_channels * patch**2,
            latent_channels=latent_channels,
            down_block_types=("DownEncoderBlock2D",) * levels,
            up_block_types=("UpDecoderBlock2D",) * levels,
            block_out_channels=tuple(channels),
            layers_per_block=layers_per_block,
            mid_block_add_attention=middle_attention,
            norm_num_groups=norm_groups,
        )
        self.fold = nn.Identity() if patch == 1 else nn.PixelUnshuffle(patch)
        self.unfold = nn.Identity() if patch == 1 else Unfold(patch, pixel_channels, smoothing)
        cell = {"kernel_size": self.factor, "stride": self.factor}
        self.linear_encoder = nn.Conv2d(3, latent_channels, **cell) if linear else None
        self.linear_decoder = nn.ConvTranspose2d(latent_channels, 3, **cell) if linear else None
        self.gate = CanvasGate(channels[0], patch) if canvas_gate else None
        self.temporal_middle = TemporalConv(channels[-1])
        self.temporal_up = nn.ModuleList(
            nn.ModuleList(TemporalConv(width) for _ in range(layers_per_block + 1)) for width in reversed(channels)
        )
        self.fusion = nn.ModuleDict(
            {
                str(level): FeatureFusion(channels[level], fusion_block, fusion_growth, norm_groups)
                for level in fusion_levels
            }
        )

    @property
    def factor(self) -> int:
        """Pixels per latent cell and side."""
        return self.config.patch * 2 ** (len(self.config.channels) - 1)

    def decoder_parameters(self) -> list[nn.Parameter]:
        """Return what decodes single frames without fusion."""
        parts = (self.backbone.post_quant_conv, self.backbone.decoder, self.unfold, self.linear_decoder)
        return [p for part in parts if part is not None for p in part.parameters()]

    def spatial_parameters(self) -> list[nn.Parameter]:
        """Return what encodes and decodes single frames without fusion."""
        parts = (self.backbone.encoder, self.backbone.quant_conv, self.linear_encoder)
        return [p for part in parts if part is not None for p in part.parameters()] + self.decoder_parameters()

    def fusion_parameters(self) -> list[nn.Parameter]:
        """Return what brings the LQ frames into the decoder: CFW, and the gate where there is one."""
        gate = () if self.gate is None else self.gate.parameters()
        return [*self.fusion.parameters(), *gate]

    def temporal_parameters(self) -> list[nn.Parameter]:
        """Return the temporal convolutions' parameters."""
        return [*self.temporal_middle.parameters(), *self.temporal_up.parameters()]

    def encode(self, x: Tensor) -> tuple[DiagonalGaussianDistribution, list[Tensor]]:
        """Map x [N,3,H,W] in [-1,1] to the latent's distribution and the features that CFW fuses (finest first).

        Latents are unscaled: multiply by config.scaling_factor before diffusion.
        """
        moments, *features = map(_joined, zip(*_of_each(self._encoded, x), strict=True))
        return DiagonalGaussianDistribution(moments), features if self.gate is None else [*features, x]

    def _encoded(self, x: Tensor) -> list[Tensor]:
        """Return the moments of the latent's distribution, then the features."""
        net = self.backbone.encoder
        h = net.conv_in(self.fold(x))  # [N,C₀,H/patch,W/patch]
        features = []
        for level, block in enumerate(net.down_blocks):
            for resnet in block.resnets:
                h = residual(resnet, h)
            if level in self.config.fusion_levels:
                features.append(h)
            for downsample in block.downsamplers or ():
                h = downsample(h)  # sides halved
        h = net.conv_out(normalised(net.conv_norm_out, middle(net.mid_block, h), silu=True))
        moments = self.backbone.quant_conv(h)  # [N,2c,h,w]
        if self.linear_encoder is not None:
            mean, log_variance = moments.chunk(2, dim=1)
            moments = torch.cat([mean + self.linear_encoder(x), log_variance], dim=1)
        return [moments, *features]

    def decode(
        self, z: Tensor, features: list[Tensor] | None, frames: int, fidelity: float = 1.0, temporal: bool = True
    ) -> Tensor:
        """Map unscaled latents z [B·T,c,h,w] to x [B·T,3,H,W].

        features are encode()'s of the LQ frames; fidelity is CFW's w (0 leaves the fusion out); temporal=False decodes frame by
        frame.
        """
        net = self.backbone.decoder
        seen = list(features or ())
        canvas = seen.pop() if seen and self.gate is not None else None
        fused = dict(zip(self.config.fusion_levels, seen, strict=bool(seen)))
        h = _frame_by_frame(self._first_residual, z)  # [B·T,C_L,h,w]
        h = self.temporal_middle(h, frames) if temporal else h
        h = _frame_by_frame(self._second_residual, h)
        for k, block in enumerate(net.up_blocks):
            for resnet, mix in zip(block.resnets, self.temporal_up[k], strict=True):
                h = _frame_by_frame(partial(residual, resnet), h)
                h = mix(h, frames) if temporal else h
            level = len(net.up_blocks) - 1 - k
            if fidelity and level in fused:
                h = _frame_by_frame(partial(self.fusion[str(level)], fidelity=fidelity), fused[level], h)
            for upsample in block.upsamplers or ():
                h = _frame_by_frame(partial(enlarged, upsample), h)  # sides doubled
        if canvas is None or not fidelity:
            return _frame_by_frame(self._picture, h, z)
        return _frame_by_frame(partial(self._picture, fidelity=fidelity), h, z, canvas)

    def _first_residual(self, z: Tensor) -> Tensor:
        net = self.backbone.decoder
        return residual(net.mid_block.resnets[0], net.conv_in(self.backbone.post_quant_conv(z)))

    def _second_residual(self, h: Tensor) -> Tensor:
        block = self.backbone.decoder.mid_block
        for attention in (block.attentions[0],) if self.config.middle_attention else ():
            h = spatial_attention(attention, h)
        return residual(block.resnets[1], h)

    def _picture(self, h: Tensor, z: Tensor, canvas: Tensor | None = None, fidelity: float = 1.0) -> Tensor:
        net = self.backbone.decoder
        h = normalised(net.conv_norm_out, h, silu=True)
        x = self.unfold(net.conv_out(h))  # [N,3,H,W]
        x = x if self.linear_decoder is None else x + self.linear_decoder(z)
        return x if canvas is None else self.gate(h, x, canvas, fidelity)


def _frame_by_frame(layer: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """Apply a layer that sees single frames to all of them."""
    return _joined(_of_each(layer, *inputs))


def _of_each(work: Callable[..., Any], *inputs: Tensor) -> list[Any]:
    """Return what some work makes of the frames; on a CPU of each alone: what it has just written of one is still in its caches.

    Training keeps its batches: gradients need all of it anyway.
    """
    if inputs[0].device.type != "cpu" or torch.is_grad_enabled():
        return [work(*inputs)]
    return abreast(work, list(zip(*(x.split(1) for x in inputs), strict=True)))


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)


class Unfold(nn.Module):
    """Put channels back into patch×patch pixels and mix them at full resolution, where nothing else sees past a patch.

    The frequencies that only a chequerboard has are taken out at the end (a fixed smooth layer, Kinoshita & Kiya 2020): pictures
    hold next to nothing there, but LPIPS takes what shuffled pixels put there for texture.
    """

    def __init__(self, patch: int, channels: int, smoothing: int = 4) -> None:
        super().__init__()
        self.filter = SMOOTH[smoothing]
        self.shuffle = nn.PixelShuffle(patch)
        self.widen = nn.Conv2d(channels, 2 * channels, 3, padding=1)
        self.narrow = nn.Conv2d(2 * channels, channels, 3, padding=1)
        nn.init.zeros_(self.narrow.weight)
        nn.init.zeros_(self.narrow.bias)
        self.last = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, h: Tensor) -> Tensor:
        """Map [N,channels·patch²,h,w] to pictures [N,3,h·patch,w·patch]."""
        h = self.shuffle(h)
        return _smooth(self.last(F.silu(h + self.narrow(F.silu(self.widen(h))))), self.filter)


def _smooth(x: Tensor, taps: tuple[int, ...]) -> Tensor:
    """Filter rows and columns of x [N,3,H,W]; taps are scaled to sum 1."""
    line, margin = constant(taps, x.device, x.dtype).div(sum(taps)).expand(3, 1, 1, -1), len(taps) // 2
    x = F.conv2d(F.pad(x, (margin,) * 4, mode="replicate"), line, groups=3)
    return F.conv2d(x, line.transpose(2, 3), groups=3)
