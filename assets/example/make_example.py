"""Make the finished comparison that the page shows first: `python assets/example/make_example.py`, from the repository's root.

Run it again whenever the shipped weights change; a test compares the manifest with them.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mgld import settings  # noqa: E402
from mgld.canvas import bicubic  # noqa: E402
from mgld.comparison.figures import as_markdown, measure, write_stage  # noqa: E402
from mgld.events import FramesDone  # noqa: E402
from mgld.methods import COMPARED  # noqa: E402
from mgld.pipeline import MGLDPipeline  # noqa: E402
from mgld.presets import describe_model  # noqa: E402
from mgld.settings import Settings  # noqa: E402
from mgld.ui.first_sight import write_stills  # noqa: E402
from mgld.video import probe, read_frames  # noqa: E402

HERE = Path(__file__).resolve().parent
CLIP = settings.ASSETS / "clips" / "reef.mp4"
FRAMES = 16


def main() -> None:
    """Run every compared method on the clip and store the comparison with its manifest."""
    pipeline, clip, borders = MGLDPipeline.from_pretrained("tiny"), list(read_frames(CLIP, max_frames=FRAMES)), ()
    layers = {"bicubic": bicubic(np.stack([f.rgb_u8 for f in clip]))}
    for method in COMPARED:
        done = [e for e in pipeline.run(clip, replace(Settings(), method=method)) if isinstance(e, FramesDone)]
        layers[method] = np.concatenate([e.frames_u8 for e in done])
        borders = tuple(e.first_frame for e in done if e.segment_border)
    figures = measure(layers, borders, Settings().flow)
    stage = asdict(write_stage(HERE / "stage.mp4", layers, probe(CLIP).fps, figures))
    del stage["video"]
    shown = {"stage": stage, "table": as_markdown(figures)}
    (HERE / "stage.json").write_text(json.dumps(shown, indent=1) + "\n")
    write_stills(HERE)
    manifest = {"clip": CLIP.name, "frames": FRAMES, "settings": asdict(Settings()), "model": describe_model("tiny")}
    (HERE / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    main()
