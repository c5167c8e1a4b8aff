"""The motion stage."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mgld.clock import Clock
from mgld.segment import NOTHING_WATCHED, cut
from mgld.stages import motion
from mgld.stages.condition import segment_of
from tests.test_pipeline import QUICK, frames_of


@pytest.fixture
def measured(monkeypatch) -> list[int]:
    """Collect the frames of every clip whose flow is measured."""
    counts, measure = [], motion.flow_both_ways
    monkeypatch.setattr(motion, "flow_both_ways", lambda rgb, network: counts.append(len(rgb)) or measure(rgb, network))
    return counts


def test_without_guidance_and_filter_no_flow_is_measured(pipeline, clip_u8, measured):
    pipeline(clip_u8, replace(QUICK, guidance=0.0, temporal_filter="none"))
    pipeline(clip_u8, replace(QUICK, method="per_frame"))
    assert measured == []


@pytest.mark.parametrize("off", [{}, {"guidance": 0.0}, {"temporal_filter": "none"}], ids=lambda off: "".join(off))
def test_flow_is_measured_once_a_segment_for_whoever_follows_it(pipeline, clip_u8, measured, off):
    pipeline(clip_u8, replace(QUICK, **off))
    assert measured == [3, 3, 3]


def test_a_segment_is_seen_when_it_has_to_be_and_then_once(pipeline, clip_u8, measured):
    """One that was finished before the run was killed is only handed over; a cluster's workers open each several times."""
    nets, piece = pipeline.networks, next(cut(frames_of(clip_u8), QUICK))
    segment = segment_of(nets, piece, QUICK, Clock(None), NOTHING_WATCHED, nets.tile_sides(QUICK))
    assert measured == []
    assert segment.view() is segment.afresh().view() and measured == [3]
