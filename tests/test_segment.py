"""A segment worked on tile by tile as published; and work that is done again in smaller tiles where memory runs short."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mgld.errors import UserError
from mgld.events import FramesDone, Note, Result, Sampled
from mgld.segment import TileSides, _places, alone_tile
from mgld.settings import Settings
from mgld.video import Frame

QUICK = Settings(steps=2, segment=3, overlap=1)
ALONE = replace(QUICK, tiling="alone", guidance=0.0, scenes="ignored")


@pytest.fixture
def wide_u8() -> np.ndarray:
    """Make u8 [2,16,40,3]: 64×160 pixels when enlarged; its left and its right 16 columns are the same."""
    clip = np.random.default_rng(0).integers(0, 256, (2, 16, 40, 3), np.uint8)
    clip[:, :, 24:] = clip[:, :, :16]
    return clip


def events_of(pipeline, clip_u8, wanted) -> list:
    return list(pipeline.run([Frame(rgb, i / 10) for i, rgb in enumerate(clip_u8)], wanted))


def frames_in(events) -> np.ndarray:
    return np.concatenate([e.frames_u8 for e in events if isinstance(e, FramesDone)])


def test_published_tiles_begin_every_750_pixels_and_their_flow_six_pixels_earlier_each_time():
    assert _places(2880, *alone_tile(Settings()), 8) == [(0, 0), (750, 93), (1500, 186), (1920, 240)]
    assert [start - 8 * cell for start, cell in _places(2880, 960, 750, 8)] == [0, 6, 12, 0]
    assert alone_tile(Settings(method="per_frame")) == (1280, 1000)


def test_a_tile_alone_is_sampled_as_if_it_were_the_picture(pipeline, wide_u8, monkeypatch):
    monkeypatch.setattr("mgld.segment.ALONE_TILE", (64, 50))
    z = next(e.z for e in events_of(pipeline, wide_u8, ALONE) if isinstance(e, Sampled))
    assert z.shape == (2, 4, 8, 3 * 8)  # tiles at 0, 50 and 96 pixels, side by side
    x_lq = pipeline.networks.canvas_for(16, 40).enlarge(wide_u8)
    for index, left in enumerate((0, 50, 96)):
        alone = pipeline.latents(x_lq[..., left : left + 64], replace(ALONE, tiling="canvas"))
        np.testing.assert_allclose(z[..., 8 * index : 8 * index + 8], alone.numpy(), atol=1e-5)


def test_every_tile_starts_from_the_same_seed(pipeline, monkeypatch):
    monkeypatch.setattr("mgld.segment.ALONE_TILE", (64, 64))
    flat = np.full((2, 16, 48, 3), 90, np.uint8)  # three tiles that show the same
    alone, canvas = (
        next(e.z for e in events_of(pipeline, flat, replace(ALONE, tiling=kind)) if isinstance(e, Sampled))
        for kind in ("alone", "canvas")
    )
    assert np.array_equal(alone[..., :8], alone[..., 8:16]) and np.array_equal(alone[..., :8], alone[..., 16:])
    assert not np.array_equal(canvas[..., :8], canvas[..., 8:16])


def test_kept_latents_of_tiles_decode_to_the_same_frames(pipeline, wide_u8, monkeypatch):
    monkeypatch.setattr("mgld.segment.ALONE_TILE", (64, 50))
    guided = replace(ALONE, guidance=1.0)
    first = events_of(pipeline, wide_u8, guided)
    known = {e.first_frame: e.z for e in first if isinstance(e, Sampled)}
    again = list(pipeline.run([Frame(rgb, 0.0) for rgb in wide_u8], guided, known=known))
    assert np.array_equal(frames_in(first), frames_in(again)) and frames_in(first).shape == (2, 64, 160, 3)


def test_a_padded_last_segment_is_of_full_length_and_its_last_frame_that_of_the_last_copy(pipeline, clip_u8):
    wanted = replace(QUICK, segments="disjoint", scenes="ignored", repeats="made")
    short, padded = (events_of(pipeline, clip_u8, replace(wanted, last_segment=kind)) for kind in ("short", "padded"))
    assert [len(e.z) for e in short if isinstance(e, Sampled)] == [3, 3, 1]
    assert [len(e.z) for e in padded if isinstance(e, Sampled)] == [3, 3, 3]
    short, padded = frames_in(short), frames_in(padded)
    assert len(padded) == len(clip_u8) and np.array_equal(short[:6], padded[:6])
    assert not np.array_equal(short[6], padded[6])
    written_by_hand = np.concatenate([clip_u8, clip_u8[-1:], clip_u8[-1:]])
    copies = replace(wanted, repeats="made")  # else they are shown as what they repeat
    assert np.array_equal(padded[6], frames_in(events_of(pipeline, written_by_hand, copies))[8])


def test_what_a_scene_is_padded_with_does_not_shine_into_the_next(pipeline, clip_u8, monkeypatch):
    monkeypatch.setattr("mgld.segment._begins_scene", lambda a, b: np.array_equal(b.rgb_u8, clip_u8[2]))
    wanted = replace(QUICK, overlap=1, last_segment="padded", guidance=0.0)
    changed = np.concatenate([255 - clip_u8[:2], clip_u8[2:]])
    one, other = (frames_in(events_of(pipeline, clip, wanted)) for clip in (clip_u8, changed))
    assert np.array_equal(one[2:], other[2:]) and not np.array_equal(one[:2], other[:2])


SHORT = {
    "GPU": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    "CPU": RuntimeError(
        "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried to allocate"
    ),
    "Windows": RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 4000000 bytes."),
    "Python": MemoryError(),
}


def failing(monkeypatch, net, name: str, error: BaseException, times: int) -> list:
    """Let a network's function fail so many times; return the list of its calls."""
    calls, work = [], getattr(net, name)

    def fail(*given, **named):
        calls.append(given[0].shape)
        if len(calls) <= times:
            raise error
        return work(*given, **named)

    monkeypatch.setattr(net, name, fail)
    return calls


@pytest.mark.parametrize("kind", SHORT)
def test_short_memory_is_met_by_smaller_tiles_and_said(pipeline, clip_u8, monkeypatch, kind):
    whole = frames_in(events_of(pipeline, clip_u8[:3], QUICK))
    calls = failing(monkeypatch, pipeline.unet, "forward", SHORT[kind], times=1)
    events = events_of(pipeline, clip_u8[:3], QUICK)
    notes = [e.text for e in events if isinstance(e, Note)]
    assert notes == ["memory ran short: from 0.00 s on, frames are worked on in smaller tiles"]
    assert isinstance(events[-1], Result) and events[-1].report["notes"] == notes
    assert calls[0][-1] == 12 and max(shape[-1] for shape in calls[1:]) == 8
    difference = np.abs(frames_in(events).astype(int) - whole)
    assert difference.shape == (3, 80, 96, 3)


def test_where_memory_ran_short_is_told_in_the_time_of_a_clip_that_repeats_frames(pipeline, clip_u8, monkeypatch):
    errors, forward = (
        iter([None, None, MemoryError()]),
        pipeline.unet.forward,
    )  # two steps of the first segment are made

    def fail(*given, **named):
        if (error := next(errors, None)) is not None:
            raise error
        return forward(*given, **named)

    monkeypatch.setattr(pipeline.unet, "forward", fail)
    notes = [e.text for e in events_of(pipeline, clip_u8[:5].repeat(2, 0), QUICK) if isinstance(e, Note)]
    assert len(notes) == 1 and "from 0.40 s on" in notes[0]


def test_smaller_tiles_start_from_the_same_noise(pipeline, clip_u8, monkeypatch):
    once = frames_in(events_of(pipeline, clip_u8[:3], QUICK))
    monkeypatch.setattr(TileSides, "halve", lambda self, size_hw: True)  # of the same size, to compare
    failing(monkeypatch, pipeline.unet, "forward", MemoryError(), times=1)
    assert np.array_equal(once, frames_in(events_of(pipeline, clip_u8[:3], QUICK)))


def test_what_was_sampled_is_not_sampled_again_when_decoding_runs_short(pipeline, wide_u8, monkeypatch):
    sampled = failing(monkeypatch, pipeline.unet, "forward", MemoryError(), times=0)
    decoded = failing(monkeypatch, pipeline.vae, "decode", MemoryError(), times=1)
    events = events_of(pipeline, wide_u8, replace(QUICK, guidance=0.0, scenes="ignored"))
    # two tiles of two steps each; decoded whole, in vain, then in two tiles
    assert len(sampled) == 2 * 2 and [shape[-1] for shape in decoded] == [20, 16, 16]
    assert sum(isinstance(e, Note) for e in events) == 1 and frames_in(events).shape == (2, 64, 160, 3)


def test_memory_that_stays_short_is_refused_in_words_after_two_more_tries(pipeline, monkeypatch):
    clip_u8 = np.zeros((1, 16, 140, 3), np.uint8)  # 560 pixels wide: 560, 288, 160
    calls = failing(monkeypatch, pipeline.vae, "encode", SHORT["GPU"], times=99)
    with pytest.raises(UserError, match="not enough memory for this clip, even in small tiles"):
        events_of(pipeline, clip_u8, QUICK)
    assert [shape[-1] for shape in calls] == [576, 288, 160]


def test_any_other_failure_is_not_taken_for_short_memory(pipeline, clip_u8, monkeypatch):
    calls = failing(monkeypatch, pipeline.unet, "forward", RuntimeError("mat1 and mat2 shapes cannot be multiplied"), 1)
    with pytest.raises(RuntimeError, match="mat1"):
        events_of(pipeline, clip_u8, QUICK)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("net", "name", "said"),
    [("unet", "forward", "at step 2"), ("vae", "encode", "when the input was encoded"),
     ("vae", "decode", "when the result was decoded")],
)  # fmt: skip
def test_poisoned_numbers_are_caught_where_they_arise_and_named(pipeline, clip_u8, monkeypatch, net, name, said):
    work, calls = getattr(getattr(pipeline, net), name), []

    def poisoned(*given, **named):
        calls.append(1)
        made = work(*given, **named)
        if name == "encode":
            made[0].mean[..., 0, 0] = torch.inf
        elif net == "vae" or len(calls) == 2:
            made[..., 0, 0] = torch.nan
        return made

    monkeypatch.setattr(getattr(pipeline, net), name, poisoned)
    with pytest.raises(UserError, match=f"stopped being finite {said}; try --dtype float32, a lower guidance strength"):
        events_of(pipeline, clip_u8[:3], QUICK)
