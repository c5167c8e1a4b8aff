"""The denoiser: diffusers' conditional U-Net, SFT in every residual block, temporal layers in the middle."""

from __future__ import annotations

import torch
from diffusers import ConfigMixin, ModelMixin, UNet2DConditionModel
from diffusers.configuration_utils import register_to_config
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn
from torch.nn import functional as F

from mgld.nets.blocks import enlarged, residual, transformed
from mgld.nets.layers import SFT, TemporalAttention, TemporalConv
from mgld.nets.norm import normalised


class VideoUNet(ModelMixin, ConfigMixin):
    """U-Net of paper Fig. 2: spatial backbone (library), SFT and temporal layers (ours)."""

    @register_to_config
    def __init__(
        self,
        latent_channels: int = 4,
        channels: tuple[int, ...] = (320, 640, 1280, 1280),
        layers_per_block: int = 2,
        attention: tuple[bool, ...] = (True, True, True, False),
        head_channels: int = 64,
        text_channels: int = 1024,
        text_tokens: int = 77,
        structure_channels: int = 256,
        sft_channels: int = 128,
        sample_size: int = 64,
        smallest_sample: int = 64,
        norm_groups: int = 32,
    ) -> None:
        super().__init__()
        down = tuple("CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attention)
        up = tuple("CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attention))
        self.backbone = UNet2DConditionModel(
            sample_size=sample_size,
            in_channels=latent_channels,
            out_channels=latent_channels,
            down_block_types=down,
            up_block_types=up,
            block_out_channels=tuple(channels),
            layers_per_block=layers_per_block,
            cross_attention_dim=text_channels,
            attention_head_dim=tuple(c // head_channels for c in channels),
            use_linear_projection=True,
            norm_num_groups=norm_groups,
        )
        self.sft = nn.ModuleDict(
            {
                name.replace(".", "-"): SFT(block.out_channels, structure_channels, sft_channels, norm_groups)
                for name, block in self.backbone.named_modules()
                if isinstance(block, ResnetBlock2D)
            }
        )
        middle = channels[-1]
        self.temporal_first = TemporalConv(middle)
        self.temporal_attention = TemporalAttention(middle, middle // head_channels)
        self.temporal_last = TemporalConv(middle)
        # The only prompt the system ever uses is the empty one, so its embedding travels with the weights.
        self.register_buffer("text", torch.zeros(1, text_tokens, text_channels))

    def temporal_parameters(self) -> list[nn.Parameter]:
        """Return what the second phase of stage 1 trains."""
        modules = (self.temporal_first, self.temporal_attention, self.temporal_last)
        return [p for module in modules for p in module.parameters()]

    def forward(
        self,
        z: Tensor,
        timestep: Tensor,
        structure: list[Tensor],
        frames: int,
        temporal: bool = True,
        text: Tensor | None = None,
    ) -> Tensor:
        """Predict the scheduler's target for z [B·T,c,h,w].

        timestep [1] or [B·T] in 0…999; structure one map [B·T,K,h/2ⁱ,w/2ⁱ] per level; text [B,L,D] or None for the stored empty
        prompt. temporal=False skips the temporal layers, which turns the network into its per-frame (StableSR) form.
        """
        net = self.backbone
        emb = F.silu(net.time_embedding(net.time_proj(timestep.reshape(-1)).to(z.dtype)))  # [1 or B·T,E]
        text = self.text.expand(z.shape[0] // frames, -1, -1) if text is None else text
        text = text.to(z.dtype).repeat_interleave(frames, 0)  # [B·T,L,D]
        h = net.conv_in(z)  # [B·T,C₀,h,w]
        skips = [h]
        for level, block in enumerate(net.down_blocks):
            h = self._down(
                block, f"down_blocks-{level}", h, emb, text, structure[level], skips
            )  # [B·T,Cᵢ,h/2ⁱ⁺¹,w/2ⁱ⁺¹]
        h = self._middle(h, emb, text, structure[-1], frames, temporal)  # the deepest level, [B·T,C_L,h/2ᴸ,w/2ᴸ]
        for i, block in enumerate(net.up_blocks):
            h = self._up(block, f"up_blocks-{i}", h, emb, text, structure[-1 - i], skips)  # back to [B·T,C₀,h,w]
        return net.conv_out(normalised(net.conv_norm_out, h, silu=True))

    def forward_reusing(
        self, z: Tensor, timestep: Tensor, structure: list[Tensor], frames: int, temporal: bool, deep: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Predict as forward does, and return the deep features [B·T,C₁,h,w] beside; given some, go no deeper than the first level.

        Then of structure only the first map is read. This is DeepCache (Ma et al. 2024), cut at the last up block.
        """
        net = self.backbone
        emb = F.silu(net.time_embedding(net.time_proj(timestep.reshape(-1)).to(z.dtype)))
        text = self.text.expand(z.shape[0] // frames, -1, -1).to(z.dtype).repeat_interleave(frames, 0)
        h = net.conv_in(z)
        skips, last = [h], len(net.up_blocks) - 1
        for level, block in enumerate(net.down_blocks if deep is None else net.down_blocks[:1]):
            h = self._down(block, f"down_blocks-{level}", h, emb, text, structure[level], skips, deep is None)
        if deep is None:
            deep = self._middle(h, emb, text, structure[-1], frames, temporal)
            for i, block in enumerate(net.up_blocks[:-1]):
                deep = self._up(block, f"up_blocks-{i}", deep, emb, text, structure[-1 - i], skips)
        h = self._up(net.up_blocks[-1], f"up_blocks-{last}", deep, emb, text, structure[0], skips)
        return net.conv_out(normalised(net.conv_norm_out, h, silu=True)), deep

    def _down(self, block, name, h, emb, text, structure, skips, go_deeper=True) -> Tensor:
        for j, resnet in enumerate(block.resnets):
            h = residual(resnet, h, emb, self.sft[f"{name}-resnets-{j}"], structure)
            if getattr(block, "attentions", None) is not None:
                h = transformed(block.attentions[j], h, text)
            skips.append(h)
        for downsample in (block.downsamplers or ()) if go_deeper else ():
            h = downsample(h)
            skips.append(h)
        return h

    def _middle(self, h, emb, text, structure, frames, temporal) -> Tensor:
        block = self.backbone.mid_block
        h = residual(block.resnets[0], h, emb, self.sft["mid_block-resnets-0"], structure)
        if temporal:
            h = self.temporal_first(h, frames)
        h = transformed(block.attentions[0], h, text)
        if temporal:
            h = self.temporal_attention(h, frames)
        h = residual(block.resnets[1], h, emb, self.sft["mid_block-resnets-1"], structure)
        return self.temporal_last(h, frames) if temporal else h

    def _up(self, block, name, h, emb, text, structure, skips) -> Tensor:
        for j, resnet in enumerate(block.resnets):
            h = torch.cat([h, skips.pop()], 1)  # C + C_skip
            h = residual(resnet, h, emb, self.sft[f"{name}-resnets-{j}"], structure)  # C
            if getattr(block, "attentions", None) is not None:
                h = transformed(block.attentions[j], h, text)
        for upsample in block.upsamplers or ():
            h = enlarged(upsample, h)
        return h
