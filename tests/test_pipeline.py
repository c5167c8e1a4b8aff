"""The engine end to end, on the smallest networks: sizes, order, determinism, cancel, failure."""

from __future__ import annotations

import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mgld import clock
from mgld.errors import UserError
from mgld.events import FramesDone, Progress, Result, Sampled
from mgld.methods import METHODS
from mgld.settings import Settings
from mgld.video import Frame

QUICK = Settings(steps=2, segment=3, overlap=1)


def frames_of(clip_u8: np.ndarray) -> list[Frame]:
    return [Frame(rgb, i / 10) for i, rgb in enumerate(clip_u8)]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_keeps_count_order_and_exact_size(pipeline, clip_u8, method):
    events = list(pipeline.run(frames_of(clip_u8), Settings(method=method, steps=2, segment=3, overlap=1)))
    done = [e for e in events if isinstance(e, FramesDone)]
    assert [e.first_frame for e in done] == list(itertools.accumulate([0] + [len(e.frames_u8) for e in done[:-1]]))
    assert sum((e.times_s for e in done), ()) == tuple(i / 10 for i in range(7))
    assert np.concatenate([e.frames_u8 for e in done]).shape == (7, 80, 96, 3)
    assert isinstance(events[-1], Result) and events[-1].report["frames"] == 7


@pytest.mark.parametrize("size", [(16, 16), (17, 33), (16, 128), (128, 16), (50, 31), (19, 151)])
def test_output_is_four_times_any_input(pipeline, size):
    clip = np.random.default_rng(1).integers(0, 256, (1, *size, 3), np.uint8)
    assert pipeline(clip, QUICK).shape == (1, 4 * size[0], 4 * size[1], 3)


@pytest.mark.parametrize(
    ("frames", "found"),
    [
        (np.zeros((2, 16, 16), np.uint8), "uint8 of shape [2, 16, 16]"),
        (np.zeros((2, 16, 16, 3), np.float32), "float32 of shape [2, 16, 16, 3]"),
        ([np.zeros((16, 16, 3), np.uint8)], "a list"),
    ],
)
def test_frames_of_another_kind_are_refused_in_a_sentence(pipeline, frames, found):
    with pytest.raises(UserError) as refused:
        pipeline(frames)
    assert (
        str(refused.value)
        == f"The frames are {found}, but they must be one NumPy array of bytes, uint8 of shape [T,h,w,3]."
    )


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("segments", ["overlapped", "disjoint"])
def test_any_clip_length_comes_back_whole(pipeline, clip_u8, count, segments):
    result = pipeline(clip_u8[:count], Settings(steps=1, segment=3, overlap=1, segments=segments))
    assert len(result) == count


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(pipeline, clip_u8):
    one, two = (pipeline(clip_u8, QUICK) for _ in range(2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, pipeline(clip_u8, Settings(steps=2, segment=3, overlap=1, seed=7)))


def test_per_frame_results_do_not_depend_on_how_the_clip_is_cut(pipeline, clip_u8):
    results = [pipeline(clip_u8, Settings(method="per_frame", steps=2, segment=n, overlap=0)) for n in (2, 7)]
    assert np.abs(results[0].astype(int) - results[1]).max() <= 1


@pytest.mark.parametrize("mode", ["released", "paper", "corrected"])
def test_guidance_changes_the_result(pipeline, clip_u8, mode):
    free = pipeline(clip_u8, Settings(steps=3, segment=7, overlap=0, guidance=0))
    guided = pipeline(clip_u8, Settings(steps=3, segment=7, overlap=0, guidance=10, guidance_mode=mode))
    assert not np.array_equal(free, guided)


@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "dpm++"])
def test_samplers_run(pipeline, clip_u8, sampler):
    assert pipeline(clip_u8[:2], Settings(steps=3, sampler=sampler)).shape == (2, 80, 96, 3)


def test_closing_the_generator_stops_within_one_step(pipeline, clip_u8):
    calls = []
    forward = pipeline.unet.forward
    pipeline.unet.forward = lambda *a, **k: calls.append(1) or forward(*a, **k)
    events = pipeline.run(frames_of(clip_u8), Settings(steps=50, segment=3, overlap=1))
    next(e for e in events if isinstance(e, Progress))
    before = len(calls)
    events.close()
    assert len(calls) == before


@pytest.mark.slow
def test_kept_latents_spare_the_denoiser_and_change_nothing(pipeline, clip_u8, monkeypatch):
    def result(settings, latents):
        events = list(pipeline.run(frames_of(clip_u8), settings, known=latents))
        latents |= {e.first_frame: e.z for e in events if isinstance(e, Sampled)}
        return np.concatenate([e.frames_u8 for e in events if isinstance(e, FramesDone)])

    kept = {}
    first = result(QUICK, kept)
    other_decoder = result(replace(QUICK, decoder="frame"), {})
    monkeypatch.setattr(pipeline.unet, "forward", lambda *_, **__: pytest.fail("the denoiser ran again"))
    assert np.array_equal(first, result(QUICK, kept))
    assert np.array_equal(other_decoder, result(replace(QUICK, decoder="frame"), kept))


def test_frames_are_read_one_segment_at_a_time(pipeline, clip_u8):
    taken = []

    def lazy():
        for frame in frames_of(clip_u8):
            taken.append(frame)
            yield frame

    events = pipeline.run(lazy(), QUICK)
    next(e for e in events if isinstance(e, FramesDone))
    assert len(taken) <= QUICK.segment + 1


def test_numbers_that_stop_being_finite_are_a_sentence(pipeline, clip_u8):
    pipeline.unet.forward = lambda z, *a, **k: torch.full_like(z, torch.nan)
    with pytest.raises(UserError, match="step 1"):
        pipeline(clip_u8, QUICK)


def test_too_little_memory_is_a_sentence_and_the_next_run_works(pipeline, clip_u8, monkeypatch):
    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patched:
        patched.setattr(pipeline.unet, "forward", full)
        with pytest.raises(UserError, match="memory"):
            pipeline(clip_u8, QUICK)
    assert len(pipeline(clip_u8, QUICK)) == len(clip_u8)


def test_an_empty_clip_is_a_sentence(pipeline):
    with pytest.raises(UserError, match="no frame"):
        list(pipeline.run([], QUICK))


@pytest.mark.slow
def test_kept_latents_decode_to_the_same_frames(pipeline, clip_u8):
    first = list(pipeline.run(frames_of(clip_u8), Settings(steps=2)))
    latents = {e.first_frame: e.z for e in first if isinstance(e, Sampled)}
    again = list(pipeline.run(frames_of(clip_u8), Settings(steps=2), known=latents))
    assert not any(isinstance(e, Sampled) for e in again)  # nothing was sampled, nothing is told
    first, again = (np.concatenate([e.frames_u8 for e in run if isinstance(e, FramesDone)]) for run in (first, again))
    assert np.array_equal(first, again)


def test_what_the_caller_does_between_frames_is_not_charged_to_the_engine(pipeline, clip_u8, monkeypatch):
    now_s = [0.0]  # time that passes at the caller's alone
    monkeypatch.setattr(clock, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    for event in pipeline.run(frames_of(clip_u8), QUICK):
        now_s[0] += 1.0 if isinstance(event, FramesDone) else 0.0
    seconds = event.report["seconds"]
    assert seconds.pop("handover") == 3 and "sample" in seconds and not any(seconds.values())


def two_scenes(clip_u8, first_seed: int) -> np.ndarray:
    """Return five frames of some texture that moves, then clip_u8."""
    height, width = clip_u8.shape[1:3]
    coarse = np.random.default_rng(first_seed).integers(0, 256, (height // 4 + 1, width // 4 + 3, 3), np.uint8)
    wide = coarse.repeat(4, 0).repeat(4, 1)
    return np.concatenate([np.stack([wide[:height, 2 * i : 2 * i + width] for i in range(5)]), clip_u8])


@pytest.mark.parametrize("scenes", ["found", "ignored"])
def test_what_one_scene_shows_is_not_seen_in_the_other(pipeline, clip_u8, scenes):
    settings = Settings(steps=2, segment=4, overlap=2, guidance=1.0, scenes=scenes)
    one, other = (pipeline(two_scenes(clip_u8, seed), settings)[5:] for seed in (1, 2))
    assert np.array_equal(one, other) == (scenes == "found")


def test_a_cut_is_no_border_between_segments(pipeline, clip_u8):
    settings = Settings(steps=1, segment=9, overlap=2)
    done = [e for e in pipeline.run(frames_of(two_scenes(clip_u8, 1)), settings) if isinstance(e, FramesDone)]
    assert [e.first_frame for e in done][:2] == [0, 5] and not any(e.segment_border for e in done[:2])


@pytest.mark.parametrize("method", ["per_frame", "mgld"])
def test_a_network_that_is_loaded_meanwhile_changes_nothing(pipeline, clip_u8, method):
    """While diffusers loads one, its precision is the whole process's default; the page measures its speed at that time."""
    wanted = replace(QUICK, method=method)
    alone = pipeline(clip_u8, wanted)
    torch.set_default_dtype(torch.bfloat16)
    try:
        beside = pipeline(clip_u8, wanted)
    finally:
        torch.set_default_dtype(torch.float32)
    assert np.array_equal(alone, beside)
