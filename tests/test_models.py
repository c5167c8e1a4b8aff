"""What a model's folder brings, and which of its networks a run uses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mgld.canvas import to_u8
from mgld.errors import UserError
from mgld.events import FramesDone, Sampled
from mgld.flow.raft import Raft
from mgld.pipeline import MGLDPipeline
from mgld.settings import Settings
from tests.test_pipeline import frames_of

QUICK = Settings(steps=2, segment=3, overlap=1)


def test_a_saved_model_opens_again_and_gives_the_same_result(pipeline, clip_u8, tmp_path):
    pipeline.save_pretrained(tmp_path)
    again = MGLDPipeline.from_pretrained(tmp_path, device="cpu", dtype="float32")
    # Loading lays weights out channels-last, which may round the last bit differently.
    assert np.abs(pipeline(clip_u8, QUICK).astype(int) - again(clip_u8, QUICK)).max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_stays_close(pipeline, clip_u8, tmp_path, dtype):
    pipeline.save_pretrained(tmp_path)
    half = MGLDPipeline.from_pretrained(tmp_path, device="cpu", dtype=dtype)
    difference = pipeline(clip_u8, QUICK).astype(float) - half(clip_u8, QUICK)
    assert np.abs(difference).mean() < 4


def test_an_absent_model_says_how_to_get_it():
    with pytest.raises(UserError, match="convert"):
        MGLDPipeline.from_pretrained("sd21")


def test_a_first_stage_of_its_own_encodes_the_latent_if_two_encoders_are_wanted(pipeline, clip_u8, tmp_path):
    pipeline.save_pretrained(tmp_path)
    with torch.no_grad():
        pipeline.vae.backbone.quant_conv.weight.mul_(0.5)
    pipeline.vae.save_pretrained(tmp_path / "first_stage")
    model = MGLDPipeline.from_pretrained(tmp_path, "cpu", "float32")
    one, two = (list(model.run(frames_of(clip_u8), replace(QUICK, encoders=kind))) for kind in ("one", "two"))
    assert [run[-1].report["latent_encoder"] for run in (one, two)] == ["vae", "first_stage"]
    assert not np.array_equal(*(next(e.z for e in run if isinstance(e, Sampled)) for run in (one, two)))
    told = list(pipeline.run(frames_of(clip_u8), replace(QUICK, encoders="two")))[-1].report
    assert told["latent_encoder"] == "vae"  # it has no first stage: the one encoder is both


@pytest.mark.parametrize("seen", ["trained", "published"])
def test_raft_sees_the_range_that_is_asked_for(pipeline, clip_u8, monkeypatch, seen):
    ranges = []
    monkeypatch.setattr(Raft, "_scaled", lambda self, rgb: ranges.append(self.input_range) or rgb)
    pipeline(clip_u8[:2], replace(QUICK, flow="raft", flow_range=seen))
    assert set(ranges) == {seen}


@pytest.mark.parametrize(("rounding", "level"), [("nearest", 11), ("down", 10)])
def test_levels_are_rounded_or_truncated(rounding, level):
    assert to_u8(torch.full((1, 3, 2, 2), 10.7 / 127.5 - 1), rounding).max() == level


def test_per_frame_uses_stablesrs_own_networks_where_they_are(pipeline, clip_u8, tmp_path):
    pipeline.save_pretrained(tmp_path)
    with torch.no_grad():
        pipeline.unet.backbone.conv_out.weight.mul_(0.5)
    pipeline.save_pretrained(tmp_path / "stablesr")
    both, alone = (MGLDPipeline.from_pretrained(p, "cpu", "float32") for p in (tmp_path, tmp_path / "stablesr"))

    def made(model, method) -> tuple[np.ndarray, str]:
        events = list(model.run(frames_of(clip_u8), replace(QUICK, method=method)))
        frames = np.concatenate([e.frames_u8 for e in events if isinstance(e, FramesDone)])
        return frames, events[-1].report["weights"]

    frames, weights = made(both, "per_frame")
    assert np.array_equal(frames, made(alone, "per_frame")[0]) and weights.endswith("stablesr")
    frames, weights = made(both, "mgld")
    assert not np.array_equal(frames, made(alone, "mgld")[0]) and weights == tmp_path.name
