"""A clip in; both results and their temporal profile out: `python example.py [CLIP [FOLDER]]`."""

import sys
from pathlib import Path

import numpy as np

from mgld import MGLDPipeline, Settings
from mgld.canvas import bicubic
from mgld.host import ASSETS
from mgld.plots import temporal_profile
from mgld.video import VideoWriter, probe, read_frames


def main(clip: Path, folder: Path, frames: int = 16) -> None:
    """Upscale the first frames of a clip with and without motion guidance, and draw one row of pixels over time."""
    folder.mkdir(parents=True, exist_ok=True)
    fps = probe(clip).fps
    small = np.stack([frame.rgb_u8 for frame in read_frames(clip, max_frames=frames)])  # u8 [T,h,w,3]
    pipeline = MGLDPipeline.from_pretrained("tiny")
    results = {"bicubic": bicubic(small)}  # u8 [T,4h,4w,3] each
    for method in ("per_frame", "mgld"):
        results[method] = pipeline(small, Settings(method=method, seed=42))  # one seed: both start from the same noise
        with VideoWriter(folder / f"{method}.mp4", fps) as video:
            for i, rgb in enumerate(results[method]):
                video.write(rgb, i / fps)
    middle = results["bicubic"].shape[1] // 2
    (folder / "profile.png").write_bytes(temporal_profile(results, middle, fps))


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:3]]
    clip, folder = given + [ASSETS / "clips" / "city.mp4", Path("results")][len(given) :]
    main(clip, folder)
