"""The condition stage: what is encoded, and how often."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from mgld.settings import Settings
from mgld.stages.seen import SeenFrames
from tests.test_pipeline import QUICK


def test_the_frames_of_a_segment_are_encoded_once(pipeline, clip_u8, monkeypatch):
    encoded, encode = [], pipeline.vae.encode
    monkeypatch.setattr(pipeline.vae, "encode", lambda x: encoded.append(len(x)) or encode(x))
    pipeline(clip_u8[:5], Settings(steps=2, segment=5))
    assert encoded == [5]  # for the sampler; the decoder's fusion reads the same features


@pytest.mark.slow
@pytest.mark.parametrize(("room", "times"), [(2**30, 4), (0, 8)])
def test_tiles_are_encoded_once_where_their_features_find_room(pipeline, clip_u8, monkeypatch, room, times):
    encoded, encode = [], pipeline.vae.encode
    monkeypatch.setattr("mgld.stages.networks.VAE_TILE", (64, 32))
    wanted = pipeline(clip_u8[:2], QUICK)  # with room
    monkeypatch.setattr("mgld.stages.condition.FEATURES_BYTES", room)
    monkeypatch.setattr("mgld.pipeline.SeenFrames", partial(SeenFrames, most_bytes=0))
    monkeypatch.setattr(pipeline.vae, "encode", lambda x: encoded.append(len(x)) or encode(x))
    assert np.array_equal(pipeline(clip_u8[:2], QUICK), wanted)
    assert len(encoded) == times * len(set(encoded))
