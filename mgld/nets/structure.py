"""The time-aware structure encoder: LQ latent → one feature map per level of the U-Net (StableSR's design)."""

from __future__ import annotations

from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.attention_processor import Attention
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from diffusers.models.resnet import Downsample2D, ResnetBlock2D
from torch import Tensor, nn
from torch.nn import functional as F

from mgld.nets.blocks import residual, spatial_attention


class StructureEncoder(ModelMixin, ConfigMixin):
    """Half a U-Net on the latent of the LQ frames; it sees single frames and the timestep."""

    @register_to_config
    def __init__(
        self,
        latent_channels: int = 4,
        channels: tuple[int, ...] = (256, 256, 512, 512),
        layers_per_block: int = 2,
        attention: tuple[bool, ...] = (True, True, True, False),
        heads: int = 4,
        out_channels: int = 256,
        norm_groups: int = 32,
    ) -> None:
        super().__init__()
        base = channels[0]
        embedding = 4 * base
        self.time_proj = Timesteps(base, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.time_embedding = TimestepEmbedding(base, embedding)

        def residual(inputs: int, outputs: int) -> ResnetBlock2D:
            return ResnetBlock2D(
                in_channels=inputs, out_channels=outputs, temb_channels=embedding, groups=norm_groups, eps=1e-5
            )

        def attend(width: int) -> Attention:
            return Attention(
                query_dim=width,
                heads=heads,
                dim_head=width // heads,
                bias=True,
                norm_num_groups=norm_groups,
                eps=1e-5,
                residual_connection=True,
            )

        self.conv_in = nn.Conv2d(latent_channels, base, 3, padding=1)
        self.levels = nn.ModuleList()
        previous = base
        for width, attentive in zip(channels, attention, strict=True):
            inputs = [previous] + [width] * (layers_per_block - 1)
            self.levels.append(
                nn.ModuleDict(
                    {
                        "resnets": nn.ModuleList(residual(i, width) for i in inputs),
                        "attentions": nn.ModuleList(attend(width) for _ in inputs if attentive),
                    }
                )
            )
            previous = width
        self.downsamplers = nn.ModuleList(Downsample2D(c, use_conv=True, name="op") for c in channels[:-1])
        self.middle = nn.ModuleList([residual(previous, previous), attend(previous), residual(previous, previous)])
        self.outputs = nn.ModuleList(residual(c, out_channels) for c in channels)

    def forward(self, z_lq: Tensor, timestep: Tensor) -> list[Tensor]:
        """Return one map [N,K,h/2ⁱ,w/2ⁱ] per level for z_lq [N,c,h,w]; timestep [1] or [N]."""
        emb = F.silu(self.time_embedding(self.time_proj(timestep.reshape(-1)).to(z_lq.dtype)))
        h = self.conv_in(z_lq)  # [N,C₀,h,w]
        features = []
        for i, level in enumerate(self.levels):
            for j, resnet in enumerate(level["resnets"]):
                h = residual(resnet, h, emb)
                if level["attentions"]:
                    h = spatial_attention(level["attentions"][j], h)
            if i < len(self.downsamplers):
                features.append(h)
                h = self.downsamplers[i](h)  # [N,Cᵢ,h/2ⁱ⁺¹,w/2ⁱ⁺¹]
        first, attention, last = self.middle
        features.append(residual(last, spatial_attention(attention, residual(first, h, emb)), emb))
        return [residual(block, feature, emb) for block, feature in zip(self.outputs, features, strict=True)]
