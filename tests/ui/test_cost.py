"""The cost model against the engine's own bookkeeping."""

from __future__ import annotations

import numpy as np
import pytest

from mgld.events import FramesDone
from mgld.settings import Settings
from mgld.ui.cost import CostModel, canvas_megapixels, segment_count, worked_frames
from mgld.video import Frame


@pytest.mark.parametrize("frames", [1, 3, 5, 6, 16, 17])
@pytest.mark.parametrize("overlap", [0, 2])
def test_segments_are_counted_as_the_engine_cuts_them(pipeline, frames, overlap):
    settings = Settings(steps=1, segment=5, overlap=overlap)
    clip = (Frame(np.zeros((16, 16, 3), np.uint8), float(i)) for i in range(frames))
    done = [e for e in pipeline.run(clip, settings) if isinstance(e, FramesDone)]
    assert segment_count(settings, frames) == len(done)
    assert worked_frames(settings, frames) == frames + overlap * (len(done) - 1)


def test_seconds_grow_with_frames_pixels_and_steps():
    model = CostModel({"condition": 1.0, "motion": 0.5, "sample": 2.0, "decode": 1.0, "finish": 0.0})
    settings = Settings(method="mgld", steps=10, segment=5, overlap=0)
    assert model.seconds(settings, 5, 0.2) == pytest.approx(5 * 0.2 * (1 + 0.5 + 20 + 1))
    assert model.seconds(Settings(method="bicubic"), 5, 0.2) == 0
    assert model.seconds(Settings(method="per_frame", steps=10, overlap=0), 5, 0.2) == pytest.approx(22)


def test_measuring_fills_every_rate(pipeline):
    model = CostModel()
    model.measure(pipeline)
    assert model.ready and {"condition", "motion", "sample", "decode"} <= set(model.rates)
    assert canvas_megapixels(pipeline, 100, 100) == pytest.approx(416 * 416 / 1e6)
