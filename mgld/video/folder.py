"""A folder of pictures, or a zip of them, read as a clip."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from mgld.constants import LIMITS, PICTURE_SUFFIXES
from mgld.video import icc, refusals
from mgld.video.archive import Archive, Packed
from mgld.video.container import check_size
from mgld.video.picture import BROKEN, on_black
from mgld.video.start import from_start

TIMES = "times.txt"  # beside the frames: one time a line in milliseconds, as in "timestamp format v2"
TIMES_HEAD = "# timestamp format v2"
LATEST_S = 1e9  # of a time that is believed, some thirty years
PNG, PNG_DEPTH_AT = b"\x89PNG\r\n\x1a\n", 24  # how a file begins, and the byte that states bits per colour
Folder = Path | Archive
Picture = Path | Packed


def pictures(folder: Folder) -> list[Picture]:
    """List the frames in natural order: f2 before f10."""
    files = [p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES and not p.name.startswith(".")]
    if not files:
        raise refusals.folder_without_pictures(folder)
    return sorted(files, key=_natural)


def _natural(path: Picture) -> list[tuple[int, str]]:
    parts = re.split(r"([0-9]+)", path.name.lower())
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts]


def read_picture(path: Picture) -> np.ndarray:
    """Return u8 [H,W,3], upright, sRGB; the first page of a file with several."""
    import imageio.v3 as iio  # an eighth of the time that a decoder takes to start, and there is one for every clip

    try:
        stored = path.read_bytes()
        height, width = iio.improps(stored, plugin="pillow", index=0).shape[:2]
        check_size(path, width, height)  # from the header, before memory is taken
        with Image.open(io.BytesIO(stored)) as image:
            converted = icc.to_srgb(image, path)
        picture = iio.imread(stored, plugin="pillow", index=0, rotate=True) if converted is None else converted
    except BROKEN as error:
        raise refusals.picture_unreadable(path) from error
    if picture.dtype != np.uint8:
        full = {np.dtype(bool): 1, np.dtype(np.uint16): 65535, np.dtype(np.int32): 65535}.get(picture.dtype, 1)
        picture = np.clip(picture.astype(np.float32) / full * 255 + 0.5, 0, 255).astype(np.uint8)
    if picture.ndim == 2:
        picture = picture[..., None]
    if picture.shape[-1] in (2, 4):
        picture = on_black(picture[..., :-1], picture[..., -1:])
    return np.ascontiguousarray(np.broadcast_to(picture, (*picture.shape[:2], 3)))


def bits_per_colour(path: Picture) -> int:
    """Return the depth of a picture that read_picture could read."""
    import imageio.v3 as iio

    stored = path.read_bytes()
    if stored.startswith(PNG):
        return stored[PNG_DEPTH_AT]  # of 16-bit colours Pillow gives the upper half alone, and tells nobody
    return 8 * iio.improps(stored, plugin="pillow", index=0).dtype.itemsize


def frames(folder: Folder, start_s: float, fps: float | None) -> Iterator[tuple[np.ndarray, float]]:
    """Yield (u8 [H,W,3], seconds) from start_s on, at fps, else at the folder's own times, else at the default rate."""
    files = pictures(folder)
    moments = times_s(folder, len(files), fps)
    ends = [*moments[1:], moments[-1] + (moments[-1] - moments[-2] if len(files) > 1 else 1 / LIMITS.default_fps)]
    for path, time_s in from_start(zip(files, moments, ends, strict=True), start_s):
        yield read_picture(path), time_s


def times_s(folder: Folder, count: int, fps: float | None) -> list[float]:
    """Return when each of count frames is shown."""
    stated = None if fps else stated_times_s(folder)
    if stated is not None and len(stated) == count:
        return stated
    return [i / (fps or LIMITS.default_fps) for i in range(count)]


def stated_times_s(folder: Folder) -> list[float] | None:
    """Return the times that lie beside the frames; None if there are none that grow from line to line."""
    try:
        lines = (folder / TIMES).read_bytes()[: 2**24].decode("ascii").splitlines()
        times = [float(line) / 1000 for line in lines if line.strip() and not line.startswith("#")]
    except (OSError, ValueError):
        return None
    grows = all(abs(t) <= LATEST_S for t in times) and all(a < b for a, b in zip(times, times[1:], strict=False))
    return times if times and grows else None


def write_times(folder: Path, times: list[float]) -> None:
    """Put the frames' times beside them, which pictures cannot carry."""
    lines = [TIMES_HEAD, *(f"{1000 * (t - times[0]):.3f}" for t in times)]
    (folder / TIMES).write_text("\n".join(lines) + "\n", encoding="ascii")
