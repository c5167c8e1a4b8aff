"""A clip that several workers share comes out byte for byte as from one process, whoever fails on the way."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from mgld import host
from mgld.cluster.crew import InputLost, WorkerLost
from mgld.cluster.spread import links
from mgld.cluster.worker import ModelOrder
from mgld.constants import SEGMENTS_PER_WORKER, WORK_ATTEMPTS
from mgld.errors import UserError
from mgld.events import FramesDone, Progress, Result, Resumed, Sampled
from mgld.kept import KeptRun
from mgld.pipeline import MGLDPipeline
from mgld.settings import Settings
from mgld.video import Frame
from tests.cluster.crews import collected, crew_of, frames_of, ran

QUICK = Settings(steps=1, segment=3, overlap=1)


@pytest.fixture
def opening(pipeline, tmp_path) -> ModelOrder:
    pipeline.save_pretrained(tmp_path / "model")
    return ModelOrder(str(tmp_path / "model"), "cpu", "float32")


def in_one_process(opening: ModelOrder, clip_u8: np.ndarray, settings: Settings) -> np.ndarray:
    return MGLDPipeline.from_pretrained(opening.model, "cpu", "float32")(clip_u8, settings)


def spread(opening, clip_u8, settings, size=3, fault=lambda *_: None, **more):
    crew, done = crew_of(opening, size, fault)
    return ran(collected(crew, clip_u8, settings, **more)), done


def test_a_segment_waits_for_those_whose_frames_it_shares_and_for_no_others():
    clip = [Frame(np.full((16, 16, 3), 7, np.uint8), float(i)) for i in range(9)]
    earlier = {
        overlap: [
            [p.errand.piece.first for p in link.earlier]
            for link in links(0, clip, Settings(segment=4, overlap=overlap))
        ]
        for overlap in (0, 1, 3)
    }
    assert earlier[0] == [[], [], []]
    assert earlier[1] == [[], [0], [3]]
    assert earlier[3] == [[], [0], [0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4]]  # each shows frames of the three before it


@pytest.mark.parametrize(
    "settings",
    [
        QUICK,
        replace(QUICK, segment=4, overlap=3),  # more frames are shared than not
        replace(QUICK, segments="disjoint"),
        replace(QUICK, method="per_frame"),
        replace(QUICK, method="per_frame+tsd", colour="wavelet", cfw=0.5),
        replace(QUICK, segment=16),  # one segment
        replace(QUICK, segment=4, rounding="down"),
        replace(QUICK, segment=16, rounding="down"),
        replace(QUICK, method="bicubic"),
    ],
    ids=lambda s: f"{s.method}-{s.segment}-{s.overlap}-{s.segments}-{s.rounding}",
)
def test_any_cut_gives_the_bytes_of_one_process(opening, clip_u8, settings):
    events, _ = spread(opening, clip_u8, settings)
    assert np.array_equal(frames_of(events), in_one_process(opening, clip_u8, settings))
    assert isinstance(events[-1], Result) and events[-1].report["frames"] == 7
    assert events[-1].report["settings"]["method"] == settings.method
    assert sum((e.times_s for e in events if isinstance(e, FramesDone)), ()) == tuple(i / 10 for i in range(7))
    assert [e.done for e in events if isinstance(e, Progress)][-1] == 7


def test_a_scene_cut_ends_what_waits(opening, clip_u8):
    scenes = np.concatenate([clip_u8, 255 - np.ascontiguousarray(clip_u8[:, ::-1])])
    clip = [Frame(rgb, float(i)) for i, rgb in enumerate(scenes)]
    waits = {p.errand.piece.first: [e.errand.piece.first for e in p.earlier] for p in links(0, clip, QUICK)}
    assert waits[7] == [] and waits[9] == [7]
    assert np.array_equal(frames_of(spread(opening, scenes, QUICK)[0]), in_one_process(opening, scenes, QUICK))


def test_one_worker_alone_encodes_each_frame_once(opening, clip_u8):
    events, done = spread(opening, clip_u8, QUICK, size=1)
    assert [kind for kind, _ in done].count("sample") == 3
    decoded_after = [done[done.index(("decode", first)) - 1] for first in (0, 2, 4)]
    assert decoded_after == [("sample", 0), ("sample", 2), ("sample", 4)]  # by the same worker, at once


@pytest.mark.parametrize("kind", ["sample", "decode", "finish"])
def test_the_work_of_a_worker_that_fails_is_done_by_another(opening, clip_u8, kind):
    def fault(doing: str, first: int, worker: int) -> None:
        if doing == kind and worker < 2:  # both that came first fail at their first such work
            raise WorkerLost("it was killed")

    events, _ = spread(opening, clip_u8, QUICK, 2, fault)
    assert np.array_equal(frames_of(events), in_one_process(opening, clip_u8, QUICK))
    assert events[-1].report["workers"]["lost"] == ["it was killed"] * 2


def test_what_went_with_a_machine_is_decoded_again(opening, clip_u8):
    gone = []

    def fault(doing: str, first: int, worker: int) -> None:
        if doing == "finish" and first == 2 and not gone:
            gone.append(worker)
            raise InputLost("its machine went")

    events, done = spread(opening, clip_u8, replace(QUICK, segment=4, overlap=3), 2, fault)
    assert np.array_equal(frames_of(events), in_one_process(opening, clip_u8, replace(QUICK, segment=4, overlap=3)))
    assert [done.count(("decode", first)) for first in (0, 1, 2, 3)] == [2, 2, 2, 1]  # those that meet in it
    assert max(done.count(("sample", first)) for first in range(4)) == 1


def test_a_segment_that_no_worker_survives_is_given_up_in_words(opening, clip_u8):
    def fault(doing: str, first: int, worker: int) -> None:
        if first == 2:
            raise WorkerLost("out of order")

    with pytest.raises(UserError, match=f"from frame 2 on was given up: {WORK_ATTEMPTS} workers.*out of order"):
        spread(opening, clip_u8, QUICK, 2, fault)


def test_a_refusal_is_not_tried_again(opening, clip_u8):
    tried = []

    def fault(doing: str, first: int, worker: int) -> None:
        tried.append(first)
        raise UserError("Not like this.")

    with pytest.raises(UserError, match="Not like this"):
        spread(opening, clip_u8, QUICK, 1, fault)
    assert tried == [0]


def test_known_latents_are_not_sampled_again(opening, clip_u8):
    first, _ = spread(opening, clip_u8, QUICK)
    known = {e.first_frame: e.z for e in first if isinstance(e, Sampled)}
    assert sorted(known) == [0, 2, 4]
    again, done = spread(opening, clip_u8, QUICK, known=known)
    assert not any(isinstance(e, Sampled) for e in again) and "sample" not in [kind for kind, _ in done]
    assert np.array_equal(frames_of(first), frames_of(again))


def test_frames_that_repeat_others_are_shown_again_and_counted(opening, clip_u8):
    twos = clip_u8[:4].repeat(2, 0)
    events, _ = spread(opening, twos, QUICK)
    assert np.array_equal(frames_of(events), in_one_process(opening, twos, QUICK))
    assert (events[-1].report["frames"], events[-1].report["frames_repeated"]) == (8, 4)


@pytest.mark.parametrize("overlap, stopped_at", [(1, 4), (2, 2)])
def test_a_run_that_was_stopped_goes_on(opening, clip_u8, overlap, stopped_at):
    settings = replace(QUICK, overlap=overlap)

    def stop(doing: str, first: int, worker: int) -> None:
        if doing == "finish" and first == stopped_at:
            raise UserError("Stopped.")

    with closing(KeptRun("this-run")) as kept:
        with pytest.raises(UserError, match="Stopped"):
            spread(opening, clip_u8, settings, fault=stop, kept=kept)
        finished = kept.count
    with closing(KeptRun("this-run")) as kept:
        events, done = spread(opening, clip_u8, settings, kept=kept)
    assert np.array_equal(frames_of(events), in_one_process(opening, clip_u8, settings))
    assert [e.segments for e in events if isinstance(e, Resumed)] == [finished] and finished == 2
    assert ("sample", 0) not in done and ("finish", 0) not in done
    assert ("decode", stopped_at - 3 + overlap) in done  # its frames meet the next one's
    assert events[-1].report["frames_resumed"] == stopped_at


def test_damaged_clips_leave_the_crew_the_room_that_they_took(opening, clip_u8):
    with closing(KeptRun("this-run")) as kept:
        spread(opening, clip_u8, QUICK, kept=kept)
    for file in host.UNFINISHED.rglob("*-*.npz"):
        data = bytearray(file.read_bytes())
        data[400] ^= 255
        file.write_bytes(data)
    crew, _ = crew_of(opening, 1)
    with closing(KeptRun("this-run")) as kept, pytest.raises(UserError, match="damaged"):
        ran(collected(crew, clip_u8, QUICK, kept=kept))
    assert crew.room._value == SEGMENTS_PER_WORKER


def test_a_clip_that_breaks_while_it_is_read_says_so(opening, clip_u8):
    class Broken:
        def __len__(self) -> int:
            return 7

        def __iter__(self):
            yield from clip_u8[:4]
            raise UserError("The rest is missing.")

    with pytest.raises(UserError, match="The rest is missing"):
        spread(opening, Broken(), QUICK)
