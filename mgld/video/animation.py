"""Animated WebP, PNG and AVIF, which libav does not read or not whole; and how often animations play."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from mgld.video import refusals
from mgld.video.container import check_size
from mgld.video.damage import Damage
from mgld.video.picture import BROKEN, on_black

DELAY_MS = 100  # of frames that state none or next to none, as in browsers
READ_HERE = ("WEBP", "PNG", "AVIF")
STILLS = {b"\xff\xd8\xff": "JPEG", b"BM": "BMP", b"II*\0": "TIFF", b"MM\0*": "TIFF"}


def kind(path: Path) -> str | None:
    """Return one of READ_HERE, "GIF" or None by the first bytes; raise UserError for a still picture of another kind."""
    with path.open("rb") as file:
        head = file.read(12)
    for magic, name in STILLS.items():
        if head.startswith(magic):
            raise refusals.clip_is_still(path, name)
    if head[:4] == b"RIFF" and head[8:] == b"WEBP":
        return "WEBP"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head[4:12] in (b"ftypavif", b"ftypavis"):
        return "AVIF"
    return "GIF" if head.startswith(b"GIF8") else None


def frames(path: Path, damage: Damage | None = None) -> Iterator[tuple[np.ndarray, float, float, bool]]:
    """Yield (u8 [H,W,3] on black, begin in seconds, end in seconds, whether anything shines through).

    A damaged file yields what decodes; raises UserError if nothing does, for a still, and outside the limits.
    """
    begin_s = 0.0
    with _opened(path) as image:
        first = _first(image)
        for index in range(first, image.n_frames):
            try:
                image.seek(index)
                rgba = np.asarray(image.convert("RGBA"))
            except BROKEN as error:
                if index == first:
                    raise refusals.clip_unreadable(path) from error
                if damage is not None:
                    damage.begin(begin_s)
                    damage.seen()
                return
            end_s = begin_s + _delay_ms(image) / 1000
            yield on_black(rgba[..., :3], rgba[..., 3:]), begin_s, end_s, bool(rgba[..., 3].min() < 255)
            begin_s = end_s


def count(path: Path) -> int:
    """Return how many frames the file states."""
    with _opened(path) as image:
        return image.n_frames - _first(image)


def plays(path: Path) -> int:
    """Return how often an animation is to be played, 0 for ever; a GIF that does not say is played once."""
    found = kind(path)
    if found == "GIF":
        return _gif_plays(path)
    with _opened(path) as image:
        return int(image.info.get("loop", 0))


def _gif_plays(path: Path) -> int:
    with path.open("rb") as file:
        head = file.read(4096)
    at = head.find(b"NETSCAPE2.0\x03\x01")
    repeats = head[at + 13 : at + 15] if at >= 0 else b""
    if len(repeats) < 2:
        return 1
    said = int.from_bytes(repeats, "little")
    return said + 1 if said else 0  # the extension counts repetitions


def _first(image: Image.Image) -> int:
    """Return the first frame's index: a PNG may begin with a picture for viewers that know no animation, which Pillow counts."""
    return int(bool(image.info.get("default_image")))


def _delay_ms(image: Image.Image) -> float:
    stated = float(image.info.get("duration") or 0)
    return stated if stated > 10 else DELAY_MS


def _opened(path: Path) -> Image.Image:
    """Open by content, checked against the limits from the header alone."""
    found = kind(path)
    if found is None:
        raise refusals.clip_unreadable(path)
    try:
        if found == "WEBP":
            check_size(path, *_webp_canvas(path))
        image = Image.open(path, formats=(found,))
        check_size(path, *image.size)
        if not getattr(image, "is_animated", False) and found != "AVIF":  # which is a film of one picture
            raise refusals.clip_is_still(path, found)
    except BROKEN as error:
        raise refusals.clip_unreadable(path) from error
    return image


def _webp_canvas(path: Path) -> tuple[int, int]:
    """Return the canvas of an extended WebP, which its decoder would take memory for at once."""
    with path.open("rb") as file:
        head = file.read(30)
    if head[12:16] != b"VP8X":
        raise refusals.clip_is_still(path, "WEBP")
    return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
