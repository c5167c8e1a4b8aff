"""Frames that come again are not encoded again, and what comes of them is the same to the last bit."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from mgld import worker
from mgld.settings import Settings
from mgld.stages.seen import SeenFrames
from mgld.video import Frame
from mgld.worker import DeviceJob, run_all
from tests.small import small_pipeline

QUICK = Settings(steps=1, segment=5, overlap=2)


@pytest.fixture
def vae():
    return small_pipeline().vae


@pytest.fixture
def encoded(vae, monkeypatch):
    """How many frames the autoencoder has encoded, call by call."""
    counts, encode = [], vae.encode
    monkeypatch.setattr(vae, "encode", lambda x: counts.append(len(x)) or encode(x))
    return counts


def frames(count: int, seed: int = 0) -> torch.Tensor:
    x = torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return x.contiguous(memory_format=torch.channels_last)


def same(one, other) -> bool:
    return all(map(torch.equal, (one[0].parameters, *one[1]), (other[0].parameters, *other[1])))


@torch.no_grad()
def test_neighbouring_segments_have_their_shared_frames_encoded_once(vae, encoded):
    x, seen = frames(8), SeenFrames()
    first, second = seen.encode(vae, x[:5]), seen.encode(vae, x[3:])
    assert sum(encoded) == 8
    assert same(first, vae.encode(x[:5])) and same(second, vae.encode(x[3:]))


@torch.no_grad()
@pytest.mark.parametrize("cut", [(0, 5, 2, 5), (0, 4, 1, 4), (0, 3, 1, 4), (0, 6, 3, 6), (0, 5, 4, 5), (2, 3, 0, 5)])
def test_however_segments_lie_nothing_changes(vae, cut):
    begin, end, again, last = cut
    x, seen = frames(6), SeenFrames()
    seen.encode(vae, x[begin:end])
    assert same(seen.encode(vae, x[again:last]), vae.encode(x[again:last]))


@torch.no_grad()
def test_a_frame_that_stands_twice_in_a_segment_is_there_twice(vae):
    x = frames(3)[[0, 1, 2, 2, 2]]  # as a last segment is filled up
    assert same(SeenFrames().encode(vae, x), vae.encode(x))


@torch.no_grad()
def test_what_is_kept_has_its_bounds_and_the_oldest_goes(vae, encoded):
    x = frames(6)
    one = vae.encode(x[:1])
    room = 2 * sum(part.nbytes for part in (one[0].parameters, *one[1]))
    seen = SeenFrames(most_bytes=room)
    for pair in (x[:2], x[2:4], x[2:4], x[:2]):
        seen.encode(vae, pair)
    assert encoded == [1, 2, 2, 2]


@torch.no_grad()
@pytest.mark.parametrize(("for_one_run", "again"), [(True, 3), (False, 0)])
def test_a_run_by_itself_keeps_what_the_next_segment_may_want_and_no_more(vae, encoded, for_one_run, again):
    x, seen = frames(8), SeenFrames(for_one_run)
    for first in (0, 3):
        seen.encode(vae, x[first : first + 5])
        seen.end_segment()
    encoded.clear()
    seen.encode(vae, x[:5])
    assert sum(encoded) == again


@torch.no_grad()
def test_a_device_other_than_a_cpu_encodes_all_of_it_together():
    asked = []
    vae = SimpleNamespace(encode=lambda x: asked.append(x) or "encoded")
    x = torch.empty(3, 3, 8, 8, device="meta")
    assert [SeenFrames().encode(vae, x), asked] == ["encoded", [x]]


@pytest.mark.parametrize(("temporal_filter", "encoded_frames"), [("none", 5), ("motion", 10)])
def test_methods_that_see_the_same_frames_share_their_encoding(
    pipeline, clip_u8, monkeypatch, temporal_filter, encoded_frames
):
    counts, encode = [], pipeline.vae.encode
    monkeypatch.setattr(worker, "open_pipeline", lambda *_: pipeline)
    monkeypatch.setattr(pipeline.vae, "encode", lambda x: counts.append(len(x)) or encode(x))
    clip = [Frame(rgb, i / 10) for i, rgb in enumerate(clip_u8[:5])]
    runs = [Settings(steps=1, method="per_frame"), QUICK, Settings(steps=1, decoder="frame")]
    runs = [replace(wanted, temporal_filter=temporal_filter) for wanted in runs]
    list(run_all(DeviceJob("tiny", "cpu", clip, runs)))
    assert sum(counts) == encoded_frames
