"""What is computed again when a knob is turned, and what is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mgld.comparison.store import ClipPart, FinishedRun, Store, content_of
from mgld.settings import Settings
from mgld.sharing import relevant

PART = ClipPart("abc", 0.0, 5)


def test_guidance_does_not_touch_the_per_frame_result():
    store, base = Store(), Settings(method="per_frame")
    store.keep(PART, base, FinishedRun(np.zeros((5, 8, 8, 3), np.uint8), {}))
    assert store.result(PART, replace(base, guidance=3.0, flow="raft", segment=7)) is not None
    assert store.result(PART, replace(base, steps=16)) is None
    assert store.result(replace(PART, frames=6), base) is None


@pytest.mark.parametrize("change", [{"decoder": "frame"}, {"cfw": 0.5}, {"colour": "none"}])
def test_decoder_side_knobs_share_latents(change):
    store, base = Store(), Settings(method="mgld")
    store.sampling(PART, base).latents[0] = "z"
    assert store.sampling(PART, replace(base, **change)).latents == {0: "z"}
    assert relevant(base) != relevant(replace(base, **change))
    assert store.sampling(PART, replace(base, guidance=0.5)).latents == {}
    assert store.is_sampled(PART, base, 1) and not store.is_sampled(PART, base, 2)


def test_looking_for_what_guidance_did_costs_no_other_sampling_its_place():
    store, kept = Store(limit=1), Settings(method="mgld")
    store.sampling(PART, kept).latents[0] = "z"
    assert store.guided(PART, replace(kept, guidance=0.5)) == [] and store.is_sampled(PART, kept, 1)


def test_guided_sampling_is_shared_with_and_without_the_temporal_decoder():
    store = Store()
    store.sampling(PART, Settings(method="per_frame+mds")).latents[0] = "z"
    assert store.sampling(PART, Settings(method="mgld")).latents == {0: "z"}
    assert store.sampling(PART, Settings(method="per_frame")).latents == {}


def test_another_crop_or_degradation_or_model_is_another_part():
    store, base = Store(), Settings()
    store.keep(PART, base, FinishedRun(np.zeros((5, 8, 8, 3), np.uint8), {}))
    for change in ({"crop": (0.0, 0.0, 0.5, 0.5)}, {"degrade_seed": 1}, {"model": "sd21"}):
        assert store.result(replace(PART, **change), base) is None


def test_the_oldest_results_go_first():
    store = Store(limit_bytes=20)
    for seed in range(3):
        store.keep(PART, Settings(seed=seed), FinishedRun(np.zeros(10, np.uint8), {}))
    assert store.result(PART, Settings(seed=0)) is None
    assert store.result(PART, Settings(seed=2)) is not None


def test_a_folder_of_frames_may_hold_folders_and_is_known_by_its_frames_in_their_order(tmp_path):
    (tmp_path / "thumbnails").mkdir()
    for name in ("2.png", "10.png"):
        (tmp_path / name).write_bytes(name.encode())
    before = content_of(tmp_path)
    (tmp_path / "thumbnails" / "2.png").write_bytes(b"small")
    assert content_of(tmp_path) == before
    (tmp_path / "2.png").rename(tmp_path / "20.png")  # now behind the other
    assert content_of(tmp_path) != before
