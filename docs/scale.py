"""Print the tables of scale.md from figures that were measured on one card: `python docs/scale.py`.

To replace the figures: MEASURED, and what stands above the tables in scale.md.
"""

from __future__ import annotations

from pathlib import Path

import torch

from mgld.constants import VAE_TILE
from mgld.sampling.tiles import image_tiles, tile_starts
from mgld.settings import Settings

# NVIDIA H200, `sd21` in float16, 26 November 2026: one segment of five frames, 320x180 -> 1280x720, canvas 736x1280, in seconds
# (`python -m mgld benchmark --scale paper`, "larger").
MEASURED = {"step": 0.1375, "condition": 0.095, "motion": 0.038, "decode": 0.286}
MEASURED_HW, MEASURED_FRAMES = (736, 1280), 5
LATENT_TILE, LATENT_FACTOR = 64, 8  # of `sd21`: cells of a U-Net tile, pixels of a cell
FPS, STEPS, GPUS = 25, (4, 15, 50), (1, 8, 64)
SIZES = {"128x128 -> 512x512": (512, 512), "320x180 -> 1280x720": (736, 1280), "640x480 -> 2560x1920": (1920, 2560)}


def unet_tiles(height: int, width: int) -> int:
    """Count the denoiser's tiles of a canvas in pixels."""
    sides = (tile_starts(side // LATENT_FACTOR, LATENT_TILE, LATENT_TILE // 2) for side in (height, width))
    return len(next(sides)) * len(next(sides))


def vae_pixels(height: int, width: int) -> int:
    """Count the pixels of the autoencoder's tiles, those that tiles share as often as they are computed."""
    canvas = torch.empty(1, 1, height, width, device="meta")
    return sum(tile.shape[-2] * tile.shape[-1] for _, _, tile in image_tiles(canvas, *VAE_TILE))


def segment_s(size_hw: tuple[int, int], steps: int) -> float:
    """Return the seconds of one GPU for a segment of five frames."""
    denoised = unet_tiles(*size_hw) / unet_tiles(*MEASURED_HW) * steps * MEASURED["step"]
    coded = vae_pixels(*size_hw) / vae_pixels(*MEASURED_HW) * (MEASURED["condition"] + MEASURED["decode"])
    moved = size_hw[0] * size_hw[1] / (MEASURED_HW[0] * MEASURED_HW[1]) * MEASURED["motion"]
    return denoised + coded + moved


def frame_s(size_hw: tuple[int, int], steps: int) -> float:
    """Return the seconds of one GPU for each frame of the result: a segment brings as many as it does not share."""
    return segment_s(size_hw, steps) / (MEASURED_FRAMES - Settings.overlap)


def tables() -> str:
    """Return both tables as Markdown."""
    lines = ["| clip | 4 steps | 15 steps | 50 steps |", "|---|---|---|---|"]
    for name, size_hw in SIZES.items():
        lines.append(f"| {name} | " + " | ".join(f"{3600 / frame_s(size_hw, s):,.0f}" for s in STEPS) + " |")
    lines += ["", "| GPUs | 4 steps | 15 steps | 50 steps |", "|---|---|---|---|"]
    for gpus in GPUS:
        hours = (FPS * frame_s(SIZES["640x480 -> 2560x1920"], steps) / gpus for steps in STEPS)
        lines.append(f"| {gpus} | " + " | ".join(f"{h:,.1f} h" for h in hours) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(tables())
    print(
        f"in {(Path(__file__).parent / 'scale.md').name}:",
        tables() in (Path(__file__).parent / "scale.md").read_text("utf-8"),
    )
