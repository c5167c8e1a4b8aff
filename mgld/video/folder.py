"""A folder of pictures, read as a clip."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from PIL.Image import DecompressionBombError

from mgld import errors
from mgld.settings import LIMITS, PICTURE_SUFFIXES
from mgld.video.container import check_size
from mgld.video.picture import on_black


def pictures(folder: Path) -> list[Path]:
    """List the frames in natural order: f2 before f10."""
    files = [p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES and not p.name.startswith(".")]
    if not files:
        raise errors.folder_without_pictures(folder)
    return sorted(files, key=_natural)


def _natural(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r"([0-9]+)", path.name.lower())
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts]


def read_picture(path: Path) -> np.ndarray:
    """Return u8 [H,W,3], upright; the first page of a file with several."""
    try:
        height, width = iio.improps(path, plugin="pillow", index=0).shape[:2]
        check_size(width, height)  # from the header, before memory is taken
        picture = iio.imread(path, plugin="pillow", index=0, rotate=True)
    except (OSError, ValueError, SyntaxError, DecompressionBombError) as error:
        raise errors.clip_unreadable(path) from error
    if picture.dtype != np.uint8:
        full = {np.dtype(bool): 1, np.dtype(np.uint16): 65535, np.dtype(np.int32): 65535}.get(picture.dtype, 1)
        picture = np.clip(picture.astype(np.float32) / full * 255 + 0.5, 0, 255).astype(np.uint8)
    if picture.ndim == 2:
        picture = picture[..., None]
    if picture.shape[-1] in (2, 4):
        picture = on_black(picture[..., :-1], picture[..., -1:])
    return np.ascontiguousarray(np.broadcast_to(picture, (*picture.shape[:2], 3)))


def folder_frames(folder: Path, start_s: float) -> Iterator[tuple[np.ndarray, float]]:
    """Yield (u8 [H,W,3], seconds) from start_s on, at the default rate."""
    first = round(start_s * LIMITS.default_fps)
    for i, path in enumerate(pictures(folder)[first:], first):
        yield read_picture(path), i / LIMITS.default_fps
