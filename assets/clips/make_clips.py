"""Make the example clips from their free sources: `python make_clips.py CITY.mpg DOG.mp4 REEF.jpg` (see SOURCES.md)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mgld.degrade import degrade  # noqa: E402
from mgld.training.motion import camera_path, move  # noqa: E402

HERE = Path(__file__).resolve().parent
CRF, CRF_OF_NOISE = 25, 12  # hard, as a phone or an old site would; and what keeps noise as it is
H264 = [
    "-an",
    "-c:v",
    "libx264",
    "-preset",
    "veryfast",
    "-pix_fmt",
    "yuv420p",
    "-movflags",
    "+faststart",
]


def shrink(source: str, name: str, size: str, frames: int) -> None:
    """Shrink a film with area averaging and compress it hard, as a phone or an old site would."""
    scale = ["-vf", f"scale={size}:flags=area", "-frames:v", str(frames)]
    encode([], source, scale, name)


def encode(
    input_options: list[str], source: str, options: list[str], name: str, stdin: bytes | None = None, crf: int = CRF
) -> None:
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *input_options, "-i", source]
    subprocess.run([*ffmpeg, *options, *H264, "-crf", str(crf), str(HERE / name)], input=stdin, check=True)


def render(photo: str, name: str, side: int = 576, frames: int = 48) -> None:
    """Move over a photograph along a seeded camera path, degraded four times smaller as the evaluation set is."""
    picture = cv2.imread(photo)[..., ::-1]
    picture = cv2.resize(picture, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    clip = move(picture, camera_path(frames, side, np.random.default_rng(4)), side).frames
    small = degrade(list(clip), np.random.default_rng(3))
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{side // 4}x{side // 4}", "-r", "24"]
    encode(raw, "-", [], name, b"".join(f.tobytes() for f in small), CRF_OF_NOISE)


if __name__ == "__main__":
    city, dog, reef = sys.argv[1:]
    shrink(city, "city.mp4", "180:100", 48)
    shrink(dog, "dog.mp4", "192:108", 40)
    render(reef, "reef.mp4")
