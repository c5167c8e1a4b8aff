"""The cost model against the engine's own bookkeeping."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from mgld.comparison import cost
from mgld.comparison.cost import WHOLE_PICTURES, CostModel, canvas_megapixels, watched
from mgld.events import FramesDone
from mgld.methods import segment_count, worked_frames
from mgld.settings import Settings
from mgld.video import Frame


@pytest.mark.slow
@pytest.mark.parametrize("frames", [1, 3, 5, 6, 16, 17])
@pytest.mark.parametrize("overlap", [0, 2])
def test_segments_are_counted_as_the_engine_cuts_them(pipeline, frames, overlap):
    settings = Settings(steps=1, segment=5, overlap=overlap)
    clip = (Frame(np.full((16, 16, 3), i, np.uint8), float(i)) for i in range(frames))  # no frame repeats another
    done = [e for e in pipeline.run(clip, settings) if isinstance(e, FramesDone)]
    assert segment_count(settings, frames) == len(done)
    assert worked_frames(settings, frames) == frames + overlap * (len(done) - 1)


def test_seconds_grow_with_frames_pixels_and_steps():
    model = CostModel()
    for stage, rate in {"condition": 1.0, "motion": 0.5, "sample": 2.0, "decode": 1.0, "finish": 0.0}.items():
        model.learn_stage("mgld", stage, 0.2, rate)
    settings = Settings(method="mgld", steps=10, segment=5, overlap=0)
    assert model.work(settings, 5, 0.2) == pytest.approx(5 * (1 + 0.5 + 20 + 1))
    assert model.work(settings, 5, 0.4) == pytest.approx(2 * 5 * 22.5)  # beyond what was seen it grows with the pixels
    assert model.work(settings, 5, 0.2, sampled=True) == pytest.approx(5 * 2.5)  # the decoder sees averaged frames too
    assert model.work(replace(settings, temporal_filter="none"), 5, 0.2, sampled=True) == pytest.approx(5 * 2)
    assert model.work(Settings(method="bicubic"), 5, 0.2) == 0
    assert model.work(Settings(method="per_frame", steps=10, overlap=0), 5, 0.2) == pytest.approx(5 * 22)


def test_between_two_sizes_the_rate_lies_between():
    model = CostModel()
    model.learn_stage("mgld", "sample", 0.1, 1.0)
    model.learn_stage("mgld", "sample", 0.3, 2.0)
    assert model.work(Settings(steps=1, overlap=0), 5, 0.2) == pytest.approx(5 * 1.5)


def report(seconds: dict[str, float], peak: int = 10**9, repeated: int = 0) -> dict:
    return {"seconds": seconds, "peak_memory_bytes": peak, "frames_repeated": repeated}


def test_a_run_makes_the_next_prediction_right():
    model, settings = CostModel(), Settings(steps=2, segment=5, overlap=0)
    for _ in range(3):
        model.learn(
            report({"condition": 1.0, "motion": 0.5, "sample": 6.0, "decode": 2.0, "finish": 0.5}),
            settings,
            5,
            0.2,
            1.0,
        )
    assert model.work(settings, 5, 0.2) == pytest.approx(10.0, rel=0.25)


def test_frames_that_only_repeat_others_do_not_teach_a_speed_that_no_other_clip_has():
    model, settings = CostModel(), Settings(steps=2, segment=5, overlap=0)
    model.learn(report({"sample": 6.0}, repeated=19), settings, 24, 0.2, 1.0)  # a still, held: five frames were made
    assert model.work(settings, 5, 0.2) == pytest.approx(6.0)


def test_memory_follows_a_line_over_the_pixels_of_a_segment():
    model, settings = CostModel(), Settings(steps=1, segment=5, overlap=0)
    assert model.memory_bytes(settings, 5, 0.2) is None
    model.learn(report({"sample": 1.0}, 1_100_000_000), settings, 5, 0.2, 1.0)
    model.learn(report({"sample": 1.0}, 1_200_000_000), settings, 5, 0.4, 1.0)
    assert model.memory_bytes(settings, 5, 0.6) == pytest.approx(1.3e9)


def test_a_process_that_has_grown_meanwhile_does_not_hide_what_pixels_cost():
    """A page that had served a while told visitors that a 4K clip fits."""
    model, settings = CostModel(), Settings(steps=1, segment=5, overlap=0)
    model.learn(report({"sample": 1.0}, 1_200_000_000), settings, 5, 0.4, 1.0)
    model.learn(report({"sample": 1.0}, 1_500_000_000), settings, 5, 0.2, 1.0)
    pictures = WHOLE_PICTURES * 3 * 4 * 5 * 133e6
    assert model.memory_bytes(settings, 5, 133) > pictures


def measured(pipeline, go_on) -> CostModel:
    model = CostModel()
    model.measure(lambda clip, settings: pipeline.run(clip, settings), pipeline, go_on)
    return model


SMALL = (("mgld", 16), ("mgld", 16), ("mgld", 32), ("mgld", 32), ("per_frame", 32))


@pytest.mark.slow
def test_measuring_fills_every_rate(pipeline, monkeypatch):
    assert [method for method, _ in cost.MEASURED] == [method for method, _ in SMALL]
    monkeypatch.setattr(cost, "MEASURED", SMALL)
    model = measured(pipeline, lambda: True)
    assert model.ready and {"condition", "motion", "sample", "decode"} <= {stage for _, stage in model.rates}
    assert model.memory_bytes(Settings(), 5, 0.1) > 0
    assert canvas_megapixels(pipeline, 100, 100) == pytest.approx(416 * 416 / 1e6)


def test_a_rate_that_was_learned_beside_others_is_as_good_as_one_learned_alone():
    alone, crowded, settings = CostModel(), CostModel(), Settings(steps=2, segment=5, overlap=0)
    alone.learn(report({"sample": 6.0}), settings, 5, 0.2, 0.001)
    crowded.learn(report({"sample": 18.0}), settings, 5, 0.2, 0.003)
    assert crowded.work(settings, 5, 0.2) == pytest.approx(alone.work(settings, 5, 0.2)) == pytest.approx(6000)


def test_a_watched_run_takes_longer_on_the_processor_that_the_browser_shares(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert (watched("cpu"), watched("cuda:0")) == (1.4, 1.0)


def test_what_runs_tell_of_the_time_between_their_stages_replaces_what_was_thought():
    model = CostModel()
    for _ in range(20):
        model.learn_overhead(12.0, 10.0)
    assert model.overhead == pytest.approx(1.2, abs=0.01)
    model.learn_overhead(5.0, 10.0)
    assert 1.0 < model.overhead < 1.2  # no run takes less than its stages


def test_measuring_that_is_broken_off_teaches_nothing(pipeline):
    answers = iter([True] * 12 + [False] * 100)
    assert not measured(pipeline, lambda: next(answers)).rates


def test_measuring_gives_way_to_a_job(pipeline):
    assert not measured(pipeline, lambda: False).ready
