"""A job of the page with the smallest networks: what is computed, kept, shown and handed out."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from mgld import host
from mgld.comparison.ablation import table_3
from mgld.comparison.store import Store
from mgld.errors import UserError
from mgld.folders import WorkFolder
from mgld.methods import OURS
from mgld.ui import running, words
from mgld.video import probe
from tests import media
from tests.ui.jobs import KNOBS, asked, denoised


def test_a_comparison_grows_and_ends_with_figures_and_files(machine, moving_clip):
    seen, pairs = [], []
    for shown in running.compare(machine, asked(moving_clip), "me"):
        if not isinstance(shown[2], dict):  # gr.skip() is a dict
            seen.append((shown[2].stage.layers, shown[2].stage.frames))
            pairs.append(shown[2].stage.pair)
    both = ["Input (bicubic)", "Per-frame (no guidance)", "MGLD"]
    assert seen[0] == (both[:1], 5)  # one's own clip is there at once
    assert seen[1][0] == both[:2] and seen[-1] == (both, 5)
    assert pairs[1] == (0, 1) and pairs[-1] == (1, 2)  # two layers are never one layer on both sides
    assert "5 frames in" in shown[0] and [column.key for column in shown[2].stage.table] == [
        "we",
        "sharpness",
        "we_border_ratio",
    ]
    files = {file.file.orig_name: Path(file.file.path) for file in shown[3].files}  # kept for as long as the session
    assert list(files) == [
        "comparison.mp4", "per_frame.mp4", "mgld.mp4", "frames.png", "profile.png", "curves.png", "report.html", "report.json",
    ]  # fmt: skip
    known = probe(files["mgld.mp4"])
    assert (known.width, known.height, known.frame_count, known.has_audio) == (96, 80, 5, True)
    told = json.loads(files["report.json"].read_text(encoding="utf-8"))
    assert told["asked"]["settings"]["steps"] == 2 and told["runs"]["mgld"]["seconds"]["sample"] > 0
    assert told["model"]["sha256"] and told["versions"]["torch"] and "/" not in told["asked"]["clip"]
    page = files["report.html"].read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 3 and "://" not in page  # base64 may spell "http"


def test_files_go_with_the_session(machine, moving_clip):
    *_, last = running.compare(machine, asked(moving_clip, methods=["mgld"], frames=1), "me")
    path = Path(last[3].files[0].file.path)
    assert path.is_file()
    running.SESSIONS.forget("me")
    assert not path.parent.exists()


@pytest.mark.slow
@pytest.mark.usefixtures("no_files")
def test_only_what_a_knob_touches_is_computed_again(machine, moving_clip):
    first = denoised(machine, asked(moving_clip))
    assert first > 0 and denoised(machine, asked(moving_clip)) == 0
    guided = denoised(machine, asked(moving_clip, knobs=replace(KNOBS, guidance=KNOBS.guidance / 2)))
    assert 0 < guided < first  # MGLD only
    for change in ({"decoder": "frame"}, {"cfw": 0.5}, {"colour": "none"}):
        assert denoised(machine, asked(moving_clip, knobs=replace(KNOBS, **change))) == 0
    assert denoised(machine, asked(moving_clip, crop="0,0,80,80")) > 0


@pytest.mark.slow
@pytest.mark.usefixtures("no_files")
def test_closing_a_job_keeps_its_finished_segments_and_goes_on_from_there(machine, moving_clip):
    whole = denoised(machine, asked(moving_clip, methods=["mgld"]))
    running.STORE.results.clear()
    running.STORE.samplings.clear()
    before, going = len(machine.calls), running.compare(machine, asked(moving_clip, methods=["mgld"]), "me")
    while not (job := running.SESSIONS.get("me")).parts:
        next(going)
    going.close()
    spent, after = len(machine.calls) - before, len(machine.calls)
    assert job.stopped.is_set() and spent < whole
    last = list(running.keep_what_is_finished("me"))[-1]
    assert "What was finished is shown (2 frames)" in last[0] and last[2].stage.frames == 2 and last[3]
    assert len(machine.calls) == after
    assert denoised(machine, asked(moving_clip, methods=["mgld"])) == whole - spent


@pytest.mark.slow
def test_a_server_that_was_killed_goes_on_from_its_finished_segments(machine, moving_clip):
    # where none is held, the number of segments is known
    wanted = asked(moving_clip, methods=["mgld"], knobs=replace(KNOBS, repeats="made"))
    whole = denoised(machine, wanted)
    first = running.SESSIONS.get("me").finished["mgld"].frames_u8
    running.STORE = Store()
    before, going = len(machine.calls), running.compare(machine, wanted, "me")
    while not running.SESSIONS.get("me").parts:
        next(going)
    going.close()
    spent, running.STORE = len(machine.calls) - before, Store()  # what was in memory is gone
    shown = list(running.compare(machine, wanted, "me"))
    assert len(machine.calls) - before == whole
    assert spent and any("1 of 2 segments were there" in line for line, *_ in shown[:-3])
    assert "MGLD: 1 of 2 segments were there" in shown[-1][0]
    assert np.array_equal(running.SESSIONS.get("me").finished["mgld"].frames_u8, first)
    assert not list(host.UNFINISHED.iterdir())


def test_cancel_without_anything_finished_or_running_says_so(machine, moving_clip):
    assert words.CANCELLED_UNBEGUN in next(running.keep_what_is_finished("nobody"))[0]
    going = running.compare(machine, asked(moving_clip), "me")
    next(going), next(going)
    going.close()
    assert words.CANCELLED in next(running.keep_what_is_finished("me"))[0]


@pytest.mark.parametrize("run", [running.compare, partial(running.run_sweep, strengths=(0.0, 0.5, 2.0))])
def test_a_run_that_is_refused_or_left_at_once_does_not_keep_the_device(machine, moving_clip, run):
    with pytest.raises(UserError, match="no frame"):
        list(run(machine, asked(moving_clip, start_s=99), session="client"))
    left = run(machine, asked(moving_clip), session="client")
    next(left), left.close()
    assert running.QUEUE.enter("next", 1.0) == (0, 0.0)
    running.QUEUE.leave("next")


def test_cancelling_twice_or_after_the_end_cancels_nothing(machine, moving_clip):
    going = running.compare(machine, asked(moving_clip), "me")
    next(going), next(going)
    going.close()
    assert words.CANCELLED in next(running.keep_what_is_finished("me"))[0]
    assert words.CANCELLED_UNBEGUN in next(running.keep_what_is_finished("me"))[0]
    list(running.compare(machine, asked(moving_clip, methods=["mgld"], frames=1), "me"))
    assert words.CANCELLED_UNBEGUN in next(running.keep_what_is_finished("me"))[0]
    assert running.QUEUE.enter("me", 1.0) == (0, 0.0)  # nobody has the device, nobody waits
    running.QUEUE.leave("me")


@pytest.mark.parametrize("stage", ["condition", "sample", "decode"])
def test_cancel_at_any_stage_frees_device_and_disk_at_once(machine, moving_clip, stage, monkeypatch, tmp_path):
    monkeypatch.setattr(running, "WorkFolder", partial(WorkFolder, parent=tmp_path))
    before_it, going = set(tmp_path.iterdir()), running.compare(machine, asked(moving_clip), "me")
    next(line for line, *_ in going if words.STAGES[stage] in line)
    before = len(machine.calls)
    going.close()
    assert len(machine.calls) == before and not machine.busy.is_set()
    assert set(tmp_path.iterdir()) == before_it and running.QUEUE.place("next") == (0, 0.0)
    assert "1 frame in" in list(running.compare(machine, asked(moving_clip, frames=1), "next"))[-1][0]


@pytest.mark.slow
@pytest.mark.usefixtures("no_files")
def test_other_clips_and_the_truth_become_layers(machine, moving_clip, tmp_path):
    large = media.make_video(tmp_path / "RealBasicVSR.mp4", media.coded_frames(6, 80, 96), fps=10)
    wanted = asked(moving_clip, methods=["mgld"], others=[str(large)], truth=str(large))
    shown = list(running.compare(machine, wanted, "me"))[-1]
    assert shown[2].stage.layers == ["Input (bicubic)", "MGLD", "Ground truth", "RealBasicVSR"]
    assert "psnr" in {column.key for column in shown[2].stage.table}


@pytest.mark.slow
@pytest.mark.usefixtures("no_files")
def test_the_ablation_is_table_3_and_samples_twice_only(machine, moving_clip):
    all_four = denoised(machine, asked(moving_clip, methods=list(OURS)))
    told = table_3(running.SESSIONS.get("me").figures.rows)
    assert told.count("✓") == 4 and "+ temporal decoder | – | ✓" in told and "| Input (bicubic) |" in told
    running.STORE.samplings.clear(), running.STORE.results.clear()
    three = denoised(machine, asked(moving_clip, methods=["per_frame", "per_frame+tsd", "mgld"]))
    assert all_four == three  # the guided latents of both decoders are the same


def test_a_sweep_of_one_frame_is_refused_before_any_work(machine, moving_clip):
    with pytest.raises(UserError, match="Motion needs two frames"):
        list(running.run_sweep(machine, asked(moving_clip, frames=1), (0.0, 0.5, 2.0), "me"))
    assert not machine.calls and running.SESSIONS.get("me") is None


def test_cancel_while_a_sweep_is_measured_shows_what_was_swept(machine, moving_clip):
    going = running.run_sweep(machine, asked(moving_clip), (0.0, 0.5), "me")
    next(line for line, *_ in going if words.MEASURING in line)
    assert running.QUEUE.enter("next", 1.0)[0] == 1  # it still has the device
    going.close()
    assert running.QUEUE.place("next") == (0, 0.0)
    running.QUEUE.leave("next")
    last = list(running.keep_what_is_finished("me"))[-1]
    assert "What was finished is shown" in last[0]
    assert last[2].stage.layers == ["Input (bicubic)", "Strength 0", "Strength 0.5"]


@pytest.mark.slow
def test_a_sweep_runs_every_strength_once_and_remembers(machine, moving_clip):
    last = list(running.run_sweep(machine, asked(moving_clip), (0.0, 0.5, 2.0), "me"))[-1]
    assert last[4].stage.layers == ["Input (bicubic)", "Strength 0", "Strength 0.5", "Strength 2"] and last[2].ndim == 3
    assert "| Input (bicubic) |" in last[3] and "| 0.5 |" in last[3]
    assert [len(curve.values) for curve in last[4].stage.curves] == [4, 4] and len(last[4].stage.residual.places) == 4
    before = len(machine.calls)
    list(running.run_sweep(machine, asked(moving_clip), (0.0, 0.5, 2.0), "me"))
    assert len(machine.calls) == before
