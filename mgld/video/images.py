"""Write one still picture."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
from torch import Tensor


def write_image(path: Path, rgb: Tensor) -> None:
    """Write rgb [3,H,W] in [0,1] as PNG (rounded, not truncated)."""
    iio.imwrite(path, rgb.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).cpu().numpy(), extension=".png")
