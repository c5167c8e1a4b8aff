"""What the sampling stage shows of itself to those who watch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mgld.events import FramesDone, Guided, Preview
from mgld.flow.carry import PixelCarry
from mgld.flow.ops import warp
from mgld.segment import Watch
from mgld.stages.networks import Networks
from tests.test_pipeline import QUICK, frames_of


def test_previews_show_the_current_estimate(pipeline, clip_u8):
    events = pipeline.run(frames_of(clip_u8), QUICK, watch=Watch(preview_every_s=0.0))
    preview = next(e for e in events if isinstance(e, Preview))
    assert preview.rgb_u8.shape[-1] == 3


def test_guidance_is_told_per_segment_only_to_those_who_watch(pipeline, clip_u8):
    assert not [e for e in pipeline.run(frames_of(clip_u8), QUICK) if isinstance(e, Guided)]
    told = [e for e in pipeline.run(frames_of(clip_u8), QUICK, watch=Watch(guidance=True)) if isinstance(e, Guided)]
    assert [e.first_frame for e in told] == [0, 2, 4]
    first = told[0]
    assert first.flow_px.shape == (2, 2, 12, 12) and first.hidden.shape == (2, 12, 12)
    assert first.moved.shape == (3, 12, 12) and first.moved.max() > 0
    assert len(first.before) == len(first.after) == QUICK.steps
    assert all(after < before for before, after in zip(first.before[:-1], first.after[:-1], strict=True))


@pytest.mark.slow
def test_watching_guidance_changes_no_byte(pipeline, clip_u8):
    watched = pipeline.run(frames_of(clip_u8), QUICK, watch=Watch(guidance=True))
    result = np.concatenate([e.frames_u8 for e in watched if isinstance(e, FramesDone)])
    assert np.array_equal(result, pipeline(clip_u8, QUICK))


def test_guidance_carries_latents_through_pixels_where_there_is_a_linear_path(pipeline, clip_u8, monkeypatch):
    used = []
    monkeypatch.setattr(Networks, "carry", staticmethod(lambda z, flow_px: used.append(z) or warp(z, flow_px)))
    shown = pipeline(clip_u8, QUICK)
    monkeypatch.undo()
    assert used and pipeline.networks.carry is warp  # these networks have no linear path
    assert np.array_equal(shown, pipeline(clip_u8, QUICK))
    monkeypatch.setattr(pipeline.vae, "linear_decoder", torch.nn.ConvTranspose2d(4, 3, 8, stride=8))
    assert isinstance(pipeline.networks.carry, PixelCarry)
