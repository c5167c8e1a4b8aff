"""The working canvas: LQ frames enlarged and padded for the networks, and the exact way back to 4×."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mgld.constants import SCALE
from mgld.settings import ROUNDINGS, exhaustive

PAD_PX = 32  # both sides of the canvas are multiples of this (spec §6)


def from_bytes(u8: Tensor) -> Tensor:
    """Return x in [-1,1], float32, of bytes of any shape."""
    return u8.float() / 127.5 - 1


ROUND = exhaustive({"nearest": torch.round, "down": torch.floor}, ROUNDINGS)  # the published script truncates


def to_bytes(x: Tensor, rounding: str = "nearest") -> Tensor:
    """Return bytes of x of any shape, clamped to [-1,1] and rounded as one of ROUND does."""
    return ROUND[rounding](x.float().clamp(-1, 1).add(1).mul(127.5)).byte()


def from_u8(frames_u8: np.ndarray) -> Tensor:
    """Return x [T,3,H,W] in [-1,1] of frames u8 [T,H,W,3]."""
    return from_bytes(torch.from_numpy(np.require(frames_u8, requirements=["C", "W"])).permute(0, 3, 1, 2))


def to_u8(x: Tensor, rounding: str = "nearest") -> np.ndarray:
    """Return frames u8 [T,H,W,3] of x [T,3,H,W] in [-1,1]."""
    return to_bytes(x, rounding).permute(0, 2, 3, 1).cpu().numpy()


def enlarged(x: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Return x [T,3,h,w] in [-1,1] at a larger size, bicubic and clamped: what every method starts from."""
    return F.interpolate(x, size=size_hw, mode="bicubic", align_corners=False).clamp(-1, 1)


@dataclass(frozen=True)
class Canvas:
    """Sizes in pixels: the clip's, the enlarged frame's and the padded frame's."""

    clip_hw: tuple[int, int]
    enlarged_hw: tuple[int, int]
    padded_hw: tuple[int, int]

    @property
    def output_hw(self) -> tuple[int, int]:
        return self.clip_hw[0] * SCALE, self.clip_hw[1] * SCALE

    def enlarge(self, frames_u8: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
        """Map u8 [T,h,w,3] to x [T,3,Hp,Wp] in [-1,1], there: bicubic, clamped, reflected to the right and below."""
        return self.pad(enlarged(from_u8(frames_u8).to(device), self.enlarged_hw))

    def pad(self, x: Tensor) -> Tensor:
        """Return x [T,3,He,We] at the padded size, reflected to the right and below."""
        pad_h, pad_w = (p - e for p, e in zip(self.padded_hw, self.enlarged_hw, strict=True))
        return F.pad(x, (0, pad_w, 0, pad_h), mode="reflect")

    def finish(self, x: Tensor, rounding: str = "nearest") -> np.ndarray:
        """Crop the padding first, then shrink to 4× if the canvas was larger; return u8 [T,4h,4w,3].

        The published script shrinks before it crops, which leaves padding in the picture.
        """
        x = x[..., : self.enlarged_hw[0], : self.enlarged_hw[1]].float()
        if self.enlarged_hw != self.output_hw:
            x = F.interpolate(x, size=self.output_hw, mode="bicubic", align_corners=False, antialias=True)
        return to_u8(x, rounding)


def plan_canvas(height: int, width: int, smallest_px: int) -> Canvas:
    """Enlarge 4×, or more if the short side would stay under smallest_px (spec §6)."""
    scale = max(smallest_px / min(height, width), SCALE)
    tall, wide = int(height * scale), int(width * scale)
    return Canvas((height, width), (tall, wide), (tall + -tall % PAD_PX, wide + -wide % PAD_PX))


def bicubic(frames_u8: np.ndarray) -> np.ndarray:
    """Enlarge u8 [T,h,w,3] 4× with the same bicubic filter that the networks start from."""
    height, width = frames_u8.shape[1:3]
    canvas = Canvas((height, width), (height * SCALE, width * SCALE), (height * SCALE, width * SCALE))
    return canvas.finish(canvas.enlarge(frames_u8))
