"""A method says once how its runs are cut and guided; the engine does exactly that."""

from __future__ import annotations

import numpy as np
import pytest

from mgld.events import FramesDone
from mgld.methods import METHODS, OURS, follows_motion, is_guided, overlap_of, segment_count, worked_frames
from mgld.settings import Settings
from mgld.video import Frame


def clip_of(count: int) -> list[Frame]:
    frames_u8 = np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), np.uint8)
    return [Frame(rgb, float(i)) for i, rgb in enumerate(frames_u8)]


@pytest.mark.parametrize("decoder", ["temporal", "frame"])
@pytest.mark.parametrize("method", OURS)
def test_the_engine_runs_as_many_segments_as_the_method_plans(pipeline, method, decoder):
    settings = Settings(method=method, decoder=decoder, steps=1, segment=5, overlap=2, guidance=0.0, scenes="ignored")
    done = [e for e in pipeline.run(clip_of(16), settings) if isinstance(e, FramesDone)]
    assert segment_count(settings, 16) == len(done)
    assert worked_frames(settings, 16) == 16 + overlap_of(settings) * (len(done) - 1)


def test_frames_that_are_decoded_one_by_one_are_not_worked_on_twice():
    assert segment_count(Settings(method="per_frame+tsd", decoder="frame"), 16) == 4  # once planned as 5
    assert segment_count(Settings(method="per_frame+tsd", decoder="temporal"), 16) == 5


def test_strength_zero_is_no_guidance():
    assert [name for name in METHODS if is_guided(Settings(method=name))] == ["per_frame+mds", "mgld"]
    assert not is_guided(Settings(method="mgld", guidance=0.0))


def test_motion_is_followed_by_the_filter_or_by_guidance_or_not_at_all():
    assert [name for name in METHODS if follows_motion(Settings(method=name, guidance=0.0))] == [
        "per_frame+mds",
        "mgld",
    ]
    assert follows_motion(Settings(method="mgld", temporal_filter="none"))
    assert not follows_motion(Settings(method="mgld", guidance=0.0, temporal_filter="none"))


def test_table_3_is_every_combination_of_the_two_parts():
    parts = {(METHODS[name].motion_guided, METHODS[name].temporal_decoder) for name in OURS}
    assert len(OURS) == len(parts) == 4
