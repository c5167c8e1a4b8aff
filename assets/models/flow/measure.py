"""Measure the flow networks on clips whose motion is known exactly, clean and degraded.

    python assets/models/flow/measure.py CORPUS

CORPUS is a folder that `python -m mgld train corpus` wrote. Prints a Markdown table: end-point error (EPE) in px of the clean
clip's grid over pixels that stay visible, the share of them that is off by more than 1 px, agreement of the occlusion mask, EPE
on the clips degraded to a quarter of the side (median and worst of the clips' means), and seconds per pair.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from mgld.degrade import degrade  # noqa: E402
from mgld.flow import FlowNetwork, Motion, estimate_motion, load_flow  # noqa: E402
from mgld.training.corpus import Corpus  # noqa: E402
from mgld.training.data import Recipe, moving_clip  # noqa: E402
from mgld.training.motion import MovingClip  # noqa: E402

CLIPS, FRAMES, SIDE_PX = 24, 3, 256
NETWORKS = {"dis": "dis", "spynet": "spynet", "raft, trained range": "raft", "raft, published range": "raft"}


def main(corpus_folder: Path) -> None:
    corpus = Corpus(corpus_folder)
    clips = [moving_clip(corpus, Recipe(FRAMES, SIDE_PX), np.random.default_rng([3, i])) for i in range(CLIPS)]
    small = [degrade(list(clip.frames), np.random.default_rng([4, i])) for i, clip in enumerate(clips)]
    print("| network | EPE | off by > 1 px | occlusion agrees | EPE, degraded: median | worst | s per pair, 256² |")
    print("|---|---|---|---|---|---|---|")
    for label, name in NETWORKS.items():
        network = load_flow(name, "cpu")
        if name == "raft":
            network.input_range = "published" if "published" in label else "trained"
        started = time.monotonic()
        clean = [motion_of(clip.frames, network) for clip in clips]
        seconds = time.monotonic() - started
        low = [motion_of(np.stack(frames), network) for frames in small]
        error, agrees = (np.concatenate(parts) for parts in zip(*map(judged, clean, clips), strict=True))
        low_px = [judged(motion, clip)[0].mean() for motion, clip in zip(low, clips, strict=True)]
        cells = f"{error.mean():.2f} | {(error > 1).mean():.1%} | {agrees.mean():.1%}"
        cells += f" | {np.median(low_px):.2f} | {max(low_px):.1f} | {seconds / (CLIPS * 2 * (FRAMES - 1)):.3f}"
        print(f"| {label} | {cells} |", flush=True)


def motion_of(frames_u8: np.ndarray, network: FlowNetwork) -> Motion:
    """Estimate on frames u8 [T,h,w,3] as they are; flow on the clean clip's grid."""
    rgb = torch.from_numpy(frames_u8).permute(0, 3, 1, 2).float() / 255
    return estimate_motion(rgb, network, (SIDE_PX, SIDE_PX))


def judged(found: Motion, clip: MovingClip) -> tuple[np.ndarray, np.ndarray]:
    """Return the error in px of every visible pixel, and of every pixel whether both masks agree, flat."""
    errors_px, agrees = [], []
    for way, seen in (("to_next", "visible_in_next"), ("to_previous", "visible_in_previous")):
        visible = getattr(clip, seen)[:, 0] > 0
        error_px = np.linalg.norm(getattr(found, way).numpy() - getattr(clip, way), axis=1)
        errors_px.append(error_px[visible])
        agrees.append(((getattr(found, seen)[:, 0].numpy() > 0.5) == visible).ravel())
    return np.concatenate(errors_px), np.concatenate(agrees)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
