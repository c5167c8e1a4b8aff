"""Small valid files of every kind that is read, and ways to damage them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import imageio.v3 as iio
import numpy as np

from tests import media

EXTREMES = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\1", b"\xff\xff\xff\x7f"]
LONGEST = 20_000  # bytes: damage to a small file is more often damage to its structure


def valid_files(folder: Path) -> list[Path]:
    """Make one file of every kind; a kind whose encoder is missing here is an error, for it would go untested."""
    frames = [rgb + np.uint8(i) for i, rgb in enumerate(media.coded_frames(6))]
    made = [media.make_video(folder / name, frames, sound_s=0.3) for name in ("a.mp4", "a.mov", "a.mkv", "a.ts")]
    made.append(media.make_video(folder / "a.webm", frames, codec="libvpx", sound_s=0.3, sound_codec="libopus"))
    made.append(media.make_video(folder / "vp9.webm", frames, codec="libvpx-vp9"))
    old = {"a.avi": "mjpeg", "a.mpg": "mpeg2video", "a.wmv": "wmv2", "a.flv": "flv", "a.ogv": "libtheora"}
    for name, codec in old.items():
        pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        made.append(media.make_raw(folder / name, frames, pixels, "-c:v", codec))
    made.append(
        media.make_raw(folder / "grey.mp4", frames, "gray", "-c:v", "libx265", "-x265-params", "log-level=none")
    )
    made.append(media.make_raw(folder / "deep.mkv", frames, "yuv444p10le", "-c:v", "ffv1"))
    for name in ("a.gif", "a.webp", "a.png"):
        made.append(media.animation(folder / name, frames, [100] * 6, plays=0))
    made += [_pictures(folder / name, frames[:2]) for name in ("jpg", "png", "tif", "bmp")]
    return [*made, _zipped(folder / "a.zip", made[-3])]


def encoded_pictures(folder: Path) -> Path:
    """Make two pictures as the writer has them before they are muxed, .mkv and .gif; return their common name."""
    frames = media.coded_frames(2)
    media.make_video(folder / "encoded.mkv", frames)
    media.animation(folder / "encoded.gif", frames, [40, 40], plays=0)
    return folder / "encoded"


def _pictures(folder: Path, frames: list[np.ndarray]) -> Path:
    folder.mkdir()
    for i, rgb in enumerate(frames):
        iio.imwrite(folder / f"f{i}.{folder.name}", rgb)
    (folder / "times.txt").write_text("# timestamp format v2\n0\n40\n")
    return folder


def _zipped(path: Path, pictures: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(pictures.iterdir()):
            archive.write(file, file.name)
    return path


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Return the bytes with one to eight wounds."""
    wounded = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        _wound(wounded, rng)
    return bytes(wounded)


def _wound(data: bytearray, rng: np.random.Generator) -> None:
    """Change some bytes in place; half of the wounds hit the first 600 bytes, where headers stand."""
    end = min(len(data), 600 if rng.random() < 0.5 else LONGEST)
    at = int(rng.integers(0, max(end, 1)))
    length = int(rng.integers(1, 64))
    kind = rng.choice(
        ["bit", "byte", "extreme", "drop", "repeat", "zero", "noise", "cut"], p=[0.2, 0.2, 0.2] + [0.08] * 5
    )
    if kind == "bit" and at < len(data):
        data[at] ^= 1 << int(rng.integers(0, 8))
    elif kind == "byte" and at < len(data):
        data[at] = int(rng.integers(0, 256))
    elif kind == "extreme":
        data[at : at + 4] = EXTREMES[int(rng.integers(0, len(EXTREMES)))]
    elif kind == "drop":
        del data[at : at + length]
    elif kind == "repeat":
        data[at:at] = data[at : at + length]
    elif kind == "zero":
        data[at : at + length] = bytes(length)
    elif kind == "noise":
        data[at : at + length] = rng.bytes(length)
    elif kind == "cut" and rng.random() < 0.3:
        del data[at:]
