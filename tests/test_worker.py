"""The device's side of a job can live in another process: everything that goes in or out can be pickled."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np

from mgld import worker
from mgld.events import FramesDone, Guided, Sampled
from mgld.segment import Watch
from mgld.settings import Settings
from mgld.sharing import sampled_as
from mgld.video import Frame
from mgld.worker import DeviceJob, run_all

QUICK = Settings(steps=2, segment=3, overlap=1)


def test_arguments_and_answers_survive_pickling_and_latents_come_back(pipeline, clip_u8, monkeypatch):
    monkeypatch.setattr(worker, "open_pipeline", lambda *_: pipeline)
    clip = [Frame(rgb, i / 10) for i, rgb in enumerate(clip_u8)]
    job = pickle.loads(pickle.dumps(DeviceJob("tiny", "cpu", clip, [QUICK], watch=Watch(guidance=True))))
    events = [pickle.loads(pickle.dumps(event)) for _, event in run_all(job)]
    latents = {e.first_frame: e.z for e in events if isinstance(e, Sampled)}
    assert sorted(latents) == [0, 2, 4] and any(isinstance(e, Guided) for e in events)
    monkeypatch.setattr(pipeline.unet, "forward", lambda *_, **__: 1 / 0)
    again = [e for _, e in run_all(replace(job, latents={sampled_as(QUICK): latents}))]
    frames = [np.concatenate([e.frames_u8 for e in found if isinstance(e, FramesDone)]) for found in (events, again)]
    assert np.array_equal(*frames)


def test_runs_that_sample_the_same_sample_once(pipeline, clip_u8, monkeypatch):
    monkeypatch.setattr(worker, "open_pipeline", lambda *_: pipeline)
    clip = [Frame(rgb, i / 10) for i, rgb in enumerate(clip_u8)]
    runs = [replace(QUICK, method="per_frame+mds"), QUICK, replace(QUICK, colour="none")]
    sampled = [index for index, event in run_all(DeviceJob("tiny", "cpu", clip, runs)) if isinstance(event, Sampled)]
    assert set(sampled) == {0}
