"""The motion stage."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from mgld import host
from mgld.clock import Clock
from mgld.pipeline import MGLDPipeline
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


def test_a_model_that_holds_flow_weights_follows_its_own_and_the_shipped_ones_where_it_has_none(pipeline, tmp_path):
    pipeline.save_pretrained(tmp_path)
    shipped = load_file(host.MODELS / "flow" / "spynet-1of1.safetensors")
    (tmp_path / "flow").mkdir()
    save_file({name: 2 * value for name, value in shipped.items()}, tmp_path / "flow" / "spynet-1of1.safetensors")
    nets = MGLDPipeline.from_pretrained(tmp_path, "cpu", "float32").networks
    name = "basic_module.0.basic_module.0.weight"
    own, without = (motion.flow_network(of, replace(QUICK, flow="spynet")) for of in (nets, pipeline.networks))
    assert torch.equal(own.state_dict()[name], 2 * without.state_dict()[name])
    assert type(motion.flow_network(nets, replace(QUICK, flow="raft"))).__name__ == "Raft"
