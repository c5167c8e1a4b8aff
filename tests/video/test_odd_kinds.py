"""Files of kinds that few have thought of, each made here: every one ends in a clip or in a sentence that says why not."""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from mgld.errors import UserError
from mgld.video import decode
from mgld.video.child import source_of
from tests import media

SOURCE = ("-f", "lavfi", "-i", "testsrc=s=64x48:r=10:d=0.6")


def coded(*options: str) -> Callable[[Path], None]:
    """Make six frames as the ffmpeg binary does with these options."""
    return lambda path: media.ffmpeg(*SOURCE, *options, str(path)) and None


def turned(degrees: str, *options: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        media.ffmpeg(*SOURCE, *options, str(path.with_suffix(".plain.mp4")))
        media.ffmpeg("-display_rotation", degrees, "-i", str(path.with_suffix(".plain.mp4")), "-c", "copy", str(path))

    return make


def patched(make: Callable[[Path], None], after: bytes, skip: int, becomes: bytes) -> Callable[[Path], None]:
    """Write other bytes so far behind the first `after`."""

    def change(path: Path) -> None:
        make(path)
        data = bytearray(path.read_bytes())
        at = data.index(after) + skip
        data[at : at + len(becomes)] = becomes
        path.write_bytes(data)

    return change


def animated(**options) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        first, *others = [Image.fromarray(rgb) for rgb in media.coded_frames(4)]
        first.save(path, save_all=True, append_images=others, **options)

    return make


def chunk_changed(kind: bytes, at: int, becomes: bytes) -> Callable[[Path], None]:
    """Change an animated PNG's last chunk of a kind, with a right checksum."""

    def make(path: Path) -> None:
        animated(duration=100)(path)
        data = bytearray(path.read_bytes())
        begin = data.rindex(kind)
        (length,) = struct.unpack(">I", data[begin - 4 : begin])
        data[begin + 4 + at : begin + 4 + at + len(becomes)] = becomes
        end = begin + 4 + length
        data[end : end + 4] = struct.pack(">I", zlib.crc32(data[begin:end]))
        path.write_bytes(data)

    return make


def png(number: int, mode: str = "PNG", **options) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(media.coded_frames(number + 1)[number]).save(stream, mode, **options)
    return stream.getvalue()


def zipped(*entries: tuple[str, bytes]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in entries:
                archive.writestr(name, data)

    return make


def of_bytes(data: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(data) and None


def times(*seconds: float) -> Callable[[Path], None]:
    return lambda path: media.make_video(path, media.coded_frames(len(seconds)), times_s=list(seconds)) and None


def two_sizes(path: Path) -> None:
    parts = []
    for size in ("64x48", "128x96"):
        media.ffmpeg("-f", "lavfi", "-i", f"testsrc=s={size}:r=10:d=0.5", "-c:v", "mpeg2video", str(path))
        parts.append(path.read_bytes())
    path.write_bytes(b"".join(parts))


def midway(path: Path) -> None:
    """As a recording that was switched on in the middle of a broadcast."""
    media.ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x48:r=10:d=2", "-g", "10", "-bf", "0", str(path))
    path.write_bytes(path.read_bytes()[path.stat().st_size // 4 :])  # half of the first of two groups


def with_attachment(path: Path) -> None:
    path.with_suffix(".ttf").write_bytes(bytes(5000))
    kind = ("-metadata:s:t", "mimetype=application/x-truetype-font")
    media.ffmpeg(*SOURCE, "-attach", str(path.with_suffix(".ttf")), *kind, str(path))


def broken_tables(path: Path) -> None:
    """Every second quantisation table is called a Huffman table."""
    media.ffmpeg(*SOURCE, "-c:v", "mjpeg", str(path))
    pieces = path.read_bytes().split(b"\xff\xdb")
    path.write_bytes(
        b"".join(p + (b"\xff\xc4" if i % 2 else b"\xff\xdb") for i, p in enumerate(pieces[:-1])) + pieces[-1]
    )


def vast_picture() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b"")
    )


WHITE_POINT = "colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc:log-level=none"
QUARTER_TURN = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"

# How it is made, and what becomes of it: its frames and their size, or the sentence; and what is noted.
CASES: dict[str, tuple[Callable[[Path], None], tuple[int, int, int] | str, str]] = {
    "heic.mp4": (of_bytes(struct.pack(">I", 24) + b"ftypheic" + bytes(4) + b"mif1heic" + bytes(999)), "HEIC still picture", ""),
    "anim.avif": (animated(duration=[100, 300, 50, 200]), (4, 48, 64), ""),
    "blend.png": (animated(duration=[0, 0, 100, 65535], blend=[0, 1, 1, 0], disposal=[0, 1, 2, 2]), (4, 48, 64), ""),
    "outside.png": (chunk_changed(b"fcTL", 4, struct.pack(">II", 60_000, 60_000)), (3, 48, 64), "damaged"),
    "endless.png": (chunk_changed(b"acTL", 0, struct.pack(">I", 2**31 - 1)), (4, 48, 64), "damaged"),
    "tables.avi": (broken_tables, (3, 48, 64), "gave no picture"),
    "sizes.ts": (two_sizes, "size changes", ""),
    "quarter.mp4": (turned("90", "-vf", "setsar=2/1"), (6, 128, 48), "90°.*square pixels"),
    "oblique.mp4": (turned("45"), (6, 48, 64), "45°: turned to the nearest quarter"),
    "attached.mkv": (with_attachment, (6, 48, 64), ""),
    "tracks.mkv": (coded("-f", "lavfi", "-i", "testsrc=s=96x64:r=10:d=0.6", "-map", "0", "-map", "1"), (6, 48, 64), ""),
    "midway.ts": (midway, (10, 48, 64), ""),
    "endless.mkv": (patched(coded(), b"\x44\x89\x88", 3, struct.pack(">d", math.nan)), (6, 48, 64), ""),
    "years.mkv": (times(0, 0.1, 9e7, 9e7 + 0.1), (4, 48, 64), "variable"),
    "narrow.avi": (coded("-vf", "crop=1:48", "-c:v", "rawvideo", "-pix_fmt", "bgr24"), "1×48", ""),
    "ribbon.mkv": (coded("-vf", "scale=272:16", "-c:v", "ffv1"), "at most 8 times", ""),
    "grey16.mkv": (coded("-pix_fmt", "gray16le", "-c:v", "ffv1"), (6, 48, 64), "16 bits"),
    "yuv410.avi": (coded("-pix_fmt", "yuv410p", "-c:v", "rawvideo"), (6, 48, 64), ""),
    "yuv411.avi": (coded("-pix_fmt", "yuv411p", "-c:v", "ffv1"), (6, 48, 64), ""),
    "cinema.mkv": (coded("-pix_fmt", "xyz12le", "-c:v", "jpeg2000"), (6, 48, 64), "bits per colour"),
    "palette.mkv": (coded("-pix_fmt", "pal8", "-c:v", "png"), (6, 48, 64), ""),
    "planes.mkv": (coded("-pix_fmt", "gbrp10le", "-c:v", "libx265", "-x265-params", "log-level=none"), (6, 48, 64), "10 bits"),
    "hlg.mkv": (coded("-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-x265-params", WHITE_POINT), "HLG", ""),
    "one.mkv": (of_bytes(b"\x1a"), "not a video", ""),
    "large.avi": (patched(coded("-c:v", "mjpeg"), b"strf", 12, struct.pack("<ii", 60_000, 60_000)), (6, 48, 64), ""),
    "upside.avi": (
        patched(coded("-pix_fmt", "bgr24", "-c:v", "rawvideo"), b"strf", 16, struct.pack("<i", -(2**31))), "not a video", "",
    ),
    "samples.mp4": (patched(coded(), b"stsz", 12, struct.pack(">I", 2**31)), "incomplete", ""),
    "still.mp4": (patched(coded(), b"stts", 16, bytes(4)), (4, 48, 64), ""),
    "timeless.mp4": (patched(coded(), b"mdhd", 16, bytes(4)), (1, 48, 64), ""),
    "offscreen.gif": (patched(animated(duration=100), b"\x2c\0\0\0\0", 1, b"\xff" * 4), "damaged beyond use", ""),
    "both.mp4": (lambda p: (coded()(p), p.write_bytes(p.read_bytes() + png(0)))[0], (6, 48, 64), ""),
    "mac.zip": (zipped(("f/0.png", png(0)), ("__MACOSX/f/._0.png", b"\0\5"), ("f/.DS_Store", b"x")), (1, 48, 64), "no rate"),
    "vast.zip": (zipped(("0.png", vast_picture())), "damaged or too large", ""),
    "places.zip": (zipped(("/etc/0.png", png(0)), ("../../1.png", png(1)), ("C:\\2.png", png(2))), "several folders", ""),
    "bomb.zip": (zipped(("0.png", png(0)[:33] + bytes(129 * 2**20))), "at most 128 MB a picture", ""),
    "nested.zip": (zipped(("inner.zip", png(0))), "archives inside", ""),
    "names.zip": (zipped(("\u202egnp.0.png", png(0)), ("1\n2.png", png(1)), ("\x1b[31m.png", png(2))), (3, 48, 64), "no rate"),
    "mixed.zip": (zipped(("0.png", png(0)), ("1.png", vast_picture()[:40] + png(1))), "damaged or too large", ""),
    "upright.zip": (zipped(("0.jpg", png(0, "JPEG", exif=QUARTER_TURN))), (1, 64, 48), "no rate"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_clip_or_a_sentence(tmp_path, name):
    make, becomes, noted = CASES[name]
    make(tmp_path / name)
    path, notes = source_of(tmp_path / name) if isinstance(becomes, tuple) else tmp_path / name, []
    if isinstance(becomes, str):
        with pytest.raises(UserError, match=becomes) as refused:
            list(decode.frames(source_of(path), 0.0, None, None, False, notes))
        assert name in str(refused.value)
        return
    known = decode.probe(path, None)
    shapes = [frame.rgb_u8.shape for frame in decode.frames(path, 0.0, None, None, False, notes)]
    assert (len(shapes), *shapes[0][:2]) == becomes and len(set(shapes)) == 1
    assert (known.height, known.width) == becomes[1:]
    if noted:
        assert re.search(noted, " ".join([*known.notes, *notes]))


def test_ten_thousand_frames_cost_what_is_wanted_of_them(tmp_path):
    path = tmp_path / "a.mkv"
    media.ffmpeg("-f", "lavfi", "-i", "color=s=16x16:r=1000:d=10", "-preset", "ultrafast", str(path))
    assert len(list(decode.frames(path, 5.0, 3, None, False, []))) == 3
