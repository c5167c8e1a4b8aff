"""DeepCache (Ma et al. 2024): the denoiser's deep features change slowly, so that a few steps can share them."""

from __future__ import annotations

from collections.abc import Hashable

from torch import Tensor

from mgld.nets.structure import StructureEncoder
from mgld.nets.unet import VideoUNet


class DeepCache:
    """Predict steps of one run, tile by tile: deep features and structure maps are computed in every `every`th step of a tile."""

    def __init__(self, structure_encoder: StructureEncoder, unet: VideoUNet, every: int) -> None:
        self._encoder, self._unet, self.every = structure_encoder, unet, every
        self._steps: dict[Hashable, int] = {}
        self._kept: dict[Hashable, tuple[list[Tensor], Tensor]] = {}

    def predict(self, tile: Hashable, z: Tensor, z_lq: Tensor, t: Tensor, frames: int, temporal: bool) -> Tensor:
        """Return the prediction for z [T,c,h,w] of a tile at timestep t [1]; z_lq is the LQ latent there."""
        step = self._steps.get(tile, 0)
        self._steps[tile] = step + 1
        structure, deep = self._kept[tile] if step % self.every else (self._encoder(z_lq, t), None)
        predicted, deep = self._unet.forward_reusing(z, t, structure, frames, temporal, deep)
        self._kept[tile] = structure, deep
        return predicted
