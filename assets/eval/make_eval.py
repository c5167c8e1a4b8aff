"""Make the evaluation set from its free sources (see SOURCES.md).

    python assets/eval/make_eval.py CITY.mpg DOG.mp4 TOWN.JPG REEF.jpg

`gt/NAME/` holds 256×256 frames, `lq/NAME/` the same degraded to 64×64 by `mgld.degrade` with the seed below; both lossless WebP.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mgld.degrade import degrade, kernels  # noqa: E402
from mgld.training.motion import camera_path, move  # noqa: E402

HERE = Path(__file__).resolve().parent
SIDE_PX, FRAMES = 256, 8


@dataclass(frozen=True)
class Cut:
    """A square of a film: first frame, every so many frames, shrunk to `width` pixels across, corner x, y there."""

    film: str
    first: int
    stride: int
    width: int
    x: int
    y: int


@dataclass(frozen=True)
class Tour:
    """A camera path over a photograph that is shrunk to `width` pixels across, out of focus by a disc of this radius."""

    photo: str
    width: int
    seed: int
    defocus_px: float = 0.0


CLIPS = {  # name → what it is cut from; the seed of its degradation is its place in this list
    "city_glass": Cut("city", 10, 3, 600, 330, 60),
    "city_waves": Cut("city", 70, 3, 600, 0, 40),
    "city_towers": Cut("city", 150, 3, 600, 200, 30),
    "dog_face": Cut("dog", 2, 3, 720, 190, 20),
    "dog_paws": Cut("dog", 22, 2, 960, 270, 230),
    "town": Tour("town", 1000, 3),
    "reef": Tour("reef", 1000, 14),
    # What is soft must stay soft.
    "dog_floor": Cut("dog", 2, 3, 960, 10, 130),
    "soft_reef": Tour("reef", 1000, 21, defocus_px=5.0),
}


def main(city: str, dog: str, town: str, reef: str) -> None:
    """Write every clip."""
    sources = {"city": city, "dog": dog, "town": town, "reef": reef}
    for seed, (name, clip) in enumerate(CLIPS.items()):
        frames = cut(sources[clip.film], clip) if isinstance(clip, Cut) else tour(sources[clip.photo], clip)
        store(HERE / "gt" / name, frames)
        store(HERE / "lq" / name, degrade(list(frames), np.random.default_rng(seed)))


def cut(film: str, clip: Cut) -> np.ndarray:
    """Return u8 [T,256,256,3] of a film, shrunk with area averaging so that its own compression does not show."""
    last = clip.first + clip.stride * (FRAMES - 1)
    chosen = rf"select=between(n\,{clip.first}\,{last})*not(mod(n-{clip.first}\,{clip.stride}))"
    view = f"scale={clip.width}:-2:flags=area,crop={SIDE_PX}:{SIDE_PX}:{clip.x}:{clip.y}"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", film, "-vf", f"{chosen},{view}"]
    command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(FRAMES, SIDE_PX, SIDE_PX, 3)


def tour(photo: str, clip: Tour) -> np.ndarray:
    """Return u8 [T,256,256,3]: a square that moves over the photograph."""
    picture = cv2.imread(photo)[..., ::-1]
    factor = clip.width / picture.shape[1]
    picture = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    if clip.defocus_px:
        picture = cv2.filter2D(picture, -1, kernels.disc(clip.defocus_px))
    return move(picture, camera_path(FRAMES, SIDE_PX, np.random.default_rng(clip.seed)), SIDE_PX).frames


def store(folder: Path, frames: np.ndarray | list[np.ndarray]) -> None:
    """Write frames as lossless WebP (OpenCV: a quality above 100)."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, frame in enumerate(frames):
        cv2.imwrite(str(folder / f"{i:02d}.webp"), frame[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 101])


if __name__ == "__main__":
    main(*sys.argv[1:])
