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
CRF, CRF_AS_IT_IS = 25, 12  # hard, as a phone or an old site would; and what keeps a degraded clip's noise
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


def degraded(source: str, name: str, seed: int = 2, frames: int = 32, width: int = 416, height: int = 352) -> None:
    """Cut a part out of a film, every second frame from 150 on, and degrade it as the paper's evaluation does."""
    view = rf"select=gte(n\,150)*not(mod(n\,2)),scale=640:-2:flags=area,crop={width}:{height}:190:4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", source, "-vf", view, "-fps_mode", "passthrough"]
    command += ["-frames:v", str(frames), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    clean = np.frombuffer(subprocess.run(command, check=True, capture_output=True).stdout, np.uint8)
    small = degrade(list(clean.reshape(-1, height, width, 3)), np.random.default_rng(seed))
    raw(np.stack(small), name, 12, CRF_AS_IT_IS)


def raw(frames_u8: np.ndarray, name: str, fps: int, crf: int = CRF) -> None:
    """Compress frames u8 [T,h,w,3]."""
    size = f"{frames_u8.shape[2]}x{frames_u8.shape[1]}"
    given = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", str(fps)]
    encode(given, "-", [], name, frames_u8.tobytes(), crf)


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
    """Move over a photograph along a seeded camera path, shrunk four times."""
    picture = cv2.imread(photo)[..., ::-1]
    picture = cv2.resize(picture, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    clip = move(picture, camera_path(frames, side, np.random.default_rng(4)), side).frames
    small = [cv2.resize(f, (side // 4, side // 4), interpolation=cv2.INTER_AREA) for f in clip]
    raw(np.stack(small), name, 24)


if __name__ == "__main__":
    city, dog, reef = sys.argv[1:]
    degraded(city, "city.mp4")
    shrink(dog, "dog.mp4", "192:108", 40)
    render(reef, "reef.mp4")
