"""Find clips in folders, match them by name, and hold them whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mgld import errors
from mgld.constants import CLIP_SUFFIXES, PICTURE_SUFFIXES, SCALE
from mgld.degrade.sides import as_degraded
from mgld.metrics import refusals
from mgld.video import read_frames


def clips_in(path: Path) -> dict[str, Path]:
    """Return the clips at path by name: itself if it is a file or holds frames, else its clips."""
    if not path.exists():
        raise errors.file_missing(path)
    if path.is_file() or _holds_frames(path):
        return {path.stem if path.is_file() else path.name: path}
    inside = sorted(p for p in path.iterdir() if not p.name.startswith("."))
    found = {p.name: p for p in inside if p.is_dir() and _holds_frames(p)}
    files = [p for p in inside if p.is_file() and p.suffix.lower() in CLIP_SUFFIXES]
    found |= {p.stem: min((q for q in files if q.stem == p.stem), key=_rank) for p in files}
    if not found:
        raise refusals.clips_missing(path)
    return found


def _rank(clip: Path) -> int:
    """Tell which of several files of one name is meant: a video before a zip of frames."""
    return CLIP_SUFFIXES.index(clip.suffix.lower())


def match(name: str, path: Path, only: bool) -> Path:
    """Return the clip called name at path; a lone clip may have another name where only one is asked for."""
    found = clips_in(path)
    if only and len(found) == 1:
        return next(iter(found.values()))
    if name not in found:
        raise refusals.clip_unmatched(name, path)
    return found[name]


def read_clip(path: Path, limit: int | None = None) -> np.ndarray:
    """Return u8 [T,H,W,3], at most limit frames."""
    return np.stack([frame.rgb_u8 for frame in read_frames(path, max_frames=limit)])


def read_large(
    path: Path, name: str, of: str, lq_u8: np.ndarray, limit: int | None = None, notes: list[str] | None = None
) -> np.ndarray:
    """Return u8 [T,4h,4w,3] that belongs to lq_u8 [T,h,w,3]; raise UserError if its frames or size do not fit.

    With notes, which then tell of it, the clip may be larger by what degrade cuts.
    """
    clip_u8 = read_clip(path, limit)
    wanted_hw = (lq_u8.shape[1] * SCALE, lq_u8.shape[2] * SCALE)
    if notes is not None:
        clip_u8 = as_degraded(clip_u8, wanted_hw, notes)
    if clip_u8.shape[1:3] != wanted_hw:
        raise refusals.clip_sizes_differ(name, of, clip_u8.shape[1:3], wanted_hw)
    if len(clip_u8) != len(lq_u8):
        raise refusals.clip_counts_differ(name, of, len(clip_u8), len(lq_u8))
    return clip_u8


def _holds_frames(folder: Path) -> bool:
    return any(p.suffix.lower() in PICTURE_SUFFIXES for p in folder.iterdir())
