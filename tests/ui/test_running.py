"""A job of the page with the smallest networks: what is computed, kept, shown and handed out."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest

from mgld import host, memory, worker
from mgld.comparison import estimate, sweep
from mgld.comparison.ablation import table_3
from mgld.comparison.asked import FIELDS, Asked
from mgld.comparison.grid import labelled_grid
from mgld.comparison.job import Sessions
from mgld.comparison.produce import Machine
from mgld.comparison.report import line_of
from mgld.comparison.request import checked
from mgld.comparison.store import Store
from mgld.errors import UserError
from mgld.folders import WorkFolder
from mgld.methods import OURS
from mgld.settings import Settings
from mgld.ui import handlers, planning, running, scope, taking, words
from mgld.video import probe
from tests import media

KNOBS = Settings(steps=2, segment=3, overlap=1)


@pytest.fixture
def clip(tmp_path) -> Path:
    wide = np.random.default_rng(0).integers(0, 256, (5, 20, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    frames = [np.ascontiguousarray(wide[:, 2 * i : 2 * i + 24]) for i in range(6)]
    return media.make_video(tmp_path / "clip.mp4", frames, fps=10, sound_s=0.6)


@pytest.fixture
def machine(pipeline, monkeypatch) -> Machine:
    """A machine with a counter of denoiser calls, and nothing in memory."""
    monkeypatch.setattr(worker, "open_pipeline", lambda *_: pipeline)
    for name, fresh in (("STORE", Store()), ("SESSIONS", Sessions())):
        monkeypatch.setattr(running, name, fresh)
    monkeypatch.setattr(scope, "SESSIONS", running.SESSIONS)
    estimate.cost_of.cache_clear()
    estimate.megapixels_of.cache_clear()
    calls, forward = [], pipeline.unet.forward
    monkeypatch.setattr(pipeline.unet, "forward", lambda *a, **k: calls.append(1) or forward(*a, **k))
    machine = Machine("cpu", worker.run_all)
    object.__setattr__(machine, "calls", calls)
    return machine


@pytest.fixture
def no_files(monkeypatch):
    """Leave out what is taken home: its tests are those of the take-away."""
    monkeypatch.setattr(running, "Takeaway", lambda outcome: SimpleNamespace(files=[], archive=None))


def asked(clip, **more):
    return checked(Asked(**{"clip": str(clip), "methods": ["per_frame", "mgld"], "frames": 5, "knobs": KNOBS, **more}))


def test_a_comparison_grows_and_ends_with_figures_and_files(machine, clip):
    seen, pairs = [], []
    for shown in running.compare(machine, asked(clip), "me"):
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


def test_files_go_with_the_session(machine, clip):
    *_, last = running.compare(machine, asked(clip, methods=["mgld"], frames=1), "me")
    path = Path(last[3].files[0].file.path)
    assert path.is_file()
    running.SESSIONS.forget("me")
    assert not path.parent.exists()


def denoised(machine, request) -> int:
    before = len(machine.calls)
    list(running.compare(machine, request, "me"))
    return len(machine.calls) - before


@pytest.mark.slow
@pytest.mark.usefixtures("no_files")
def test_only_what_a_knob_touches_is_computed_again(machine, clip):
    first = denoised(machine, asked(clip))
    assert first > 0 and denoised(machine, asked(clip)) == 0
    guided = denoised(machine, asked(clip, knobs=replace(KNOBS, guidance=KNOBS.guidance / 2)))
    assert 0 < guided < first  # MGLD only
    for change in ({"decoder": "frame"}, {"cfw": 0.5}, {"colour": "none"}):
        assert denoised(machine, asked(clip, knobs=replace(KNOBS, **change))) == 0
    assert denoised(machine, asked(clip, crop="0,0,80,80")) > 0


@pytest.mark.slow
@pytest.mark.usefixtures("no_files")
def test_closing_a_job_keeps_its_finished_segments_and_goes_on_from_there(machine, clip):
    whole = denoised(machine, asked(clip, methods=["mgld"]))
    running.STORE.results.clear()
    running.STORE.samplings.clear()
    before, going = len(machine.calls), running.compare(machine, asked(clip, methods=["mgld"]), "me")
    while not (job := running.SESSIONS.get("me")).parts:
        next(going)
    going.close()
    spent, after = len(machine.calls) - before, len(machine.calls)
    assert job.stopped.is_set() and spent < whole
    last = list(running.keep_what_is_finished("me"))[-1]
    assert "What was finished is shown (2 frames)" in last[0] and last[2].stage.frames == 2 and last[3]
    assert len(machine.calls) == after
    assert denoised(machine, asked(clip, methods=["mgld"])) == whole - spent


@pytest.mark.slow
def test_a_server_that_was_killed_goes_on_from_its_finished_segments(machine, clip):
    whole = denoised(machine, asked(clip, methods=["mgld"]))
    first = running.SESSIONS.get("me").finished["mgld"].frames_u8
    running.STORE = Store()
    before, going = len(machine.calls), running.compare(machine, asked(clip, methods=["mgld"]), "me")
    while not running.SESSIONS.get("me").parts:
        next(going)
    going.close()
    spent, running.STORE = len(machine.calls) - before, Store()  # what was in memory is gone
    shown = list(running.compare(machine, asked(clip, methods=["mgld"]), "me"))
    assert len(machine.calls) - before == whole
    assert spent and any("1 of 2 segments were there" in line for line, *_ in shown[:-3])
    assert "MGLD: 1 of 2 segments were there" in shown[-1][0]
    assert np.array_equal(running.SESSIONS.get("me").finished["mgld"].frames_u8, first)
    assert not list(host.UNFINISHED.iterdir())


def test_cancel_without_anything_finished_or_running_says_so(machine, clip):
    assert words.CANCELLED_UNBEGUN in next(running.keep_what_is_finished("nobody"))[0]
    going = running.compare(machine, asked(clip), "me")
    next(going), next(going)
    going.close()
    assert words.CANCELLED in next(running.keep_what_is_finished("me"))[0]


def test_cancelling_twice_or_after_the_end_cancels_nothing(machine, clip):
    going = running.compare(machine, asked(clip), "me")
    next(going), next(going)
    going.close()
    assert words.CANCELLED in next(running.keep_what_is_finished("me"))[0]
    assert words.CANCELLED_UNBEGUN in next(running.keep_what_is_finished("me"))[0]
    list(running.compare(machine, asked(clip, methods=["mgld"], frames=1), "me"))
    assert words.CANCELLED_UNBEGUN in next(running.keep_what_is_finished("me"))[0]
    assert running.QUEUE.enter("me", 1.0) == (0, 0.0)  # nobody has the device, nobody waits
    running.QUEUE.leave("me")


@pytest.mark.parametrize("stage", ["condition", "sample", "decode"])
def test_cancel_at_any_stage_frees_device_and_disk_at_once(machine, clip, stage, monkeypatch, tmp_path):
    monkeypatch.setattr(running, "WorkFolder", partial(WorkFolder, parent=tmp_path))
    before_it, going = set(tmp_path.iterdir()), running.compare(machine, asked(clip), "me")
    next(line for line, *_ in going if words.STAGES[stage] in line)
    before = len(machine.calls)
    going.close()
    assert len(machine.calls) == before and not machine.busy.is_set()
    assert set(tmp_path.iterdir()) == before_it and running.QUEUE.place("next") == (0, 0.0)
    assert "1 frame in" in list(running.compare(machine, asked(clip, frames=1), "next"))[-1][0]


@pytest.mark.slow
@pytest.mark.usefixtures("no_files")
def test_other_clips_and_the_truth_become_layers(machine, clip, tmp_path):
    large = media.make_video(tmp_path / "RealBasicVSR.mp4", media.coded_frames(6, 80, 96), fps=10)
    wanted = asked(clip, methods=["mgld"], others=[str(large)], truth=str(large))
    shown = list(running.compare(machine, wanted, "me"))[-1]
    assert shown[2].stage.layers == ["Input (bicubic)", "MGLD", "Ground truth", "RealBasicVSR"]
    assert "psnr" in {column.key for column in shown[2].stage.table}


def refused(machine, **values) -> tuple[str, str]:
    """Return what the status line and an API client are told."""
    lines = []
    with pytest.raises(gr.Error) as raised:
        visitor = SimpleNamespace(session_hash="me")
        for line, *_ in handlers.comparing(machine)(
            *((vars(Asked()) | vars(KNOBS) | values)[n] for n in FIELDS), visitor
        ):
            lines.append(line)
    return lines[-1], raised.value.message


def test_a_problem_stays_in_the_status_line_and_names_the_visitors_file_not_its_place(machine, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    for told in refused(machine, clip=str(broken)):
        assert "“broken.mp4” is a text file" in told and str(tmp_path) not in told
    assert "Choose a clip first" in refused(machine, clip=None)[0]


def test_a_fault_of_ours_is_told_by_a_reference_and_nothing_else(machine, clip, monkeypatch, caplog):
    monkeypatch.setattr(running, "begin", lambda *_: 1 / 0)
    line, answer = refused(machine, clip=str(clip))
    reference = re.search(r"reference is (\w+)", line)[1]
    assert reference in answer and reference in caplog.text and "ZeroDivisionError" in caplog.text
    assert "Zero" not in line + answer and "division" not in line + answer


def test_what_memory_cannot_hold_is_refused_before_the_run_with_what_it_can(machine, clip, monkeypatch):
    monkeypatch.setattr(memory, "room_bytes", lambda: 5 * 3 * 24 * 20 * 16 * 2)  # some three frames of three layers
    with pytest.raises(UserError, match=r"GB are free; \d frames? or a part of the frame of \d+% .* would do"):
        planning.plan_text(machine, asked(clip))
    monkeypatch.setattr(running, "begin", lambda *_: pytest.fail("it was read all the same"))
    with pytest.raises(UserError, match="would do"):
        list(running.compare(machine, asked(clip), "me"))


def test_what_the_disk_cannot_hold_is_refused_before_the_run(machine, clip, monkeypatch):
    monkeypatch.setattr("mgld.video.writer.shutil.disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(UserError, match="GB are free"):
        planning.plan_text(machine, asked(clip))
    with pytest.raises(UserError, match="GB are free"):
        list(running.compare(machine, asked(clip), "me"))
    assert machine.calls == []


@pytest.mark.usefixtures("no_files")
def test_what_was_predicted_is_told_beside_what_it_took(machine, clip):
    estimate.calibrate("tiny", machine)
    wanted = asked(clip)
    told = planning.plan_text(machine, wanted)
    assert "5 frames (0.5 s), 24×20 → 96×80, 2 segments" in told and "About" in told and "GB" in told
    assert "Predicted: about" in list(running.compare(machine, wanted, "me"))[-1][0]
    assert running.SESSIONS.get("me").predicted_s > 0


@pytest.mark.slow
@pytest.mark.usefixtures("no_files")
def test_the_scope_shows_every_guided_pair_of_the_last_run(machine, clip):
    assert scope.choices(running.SESSIONS.get("me")) == []
    list(running.compare(machine, asked(clip), "me"))
    job = running.SESSIONS.get("me")
    found = scope.choices(job)
    assert found[0] == ("Segment 1: frames 1 → 2", "0/0") and len(found) == 4
    picture, told = scope.figure(job, "1/1")
    assert picture.ndim == 3 and "latent pixels" in told
    list(running.compare(machine, asked(clip, knobs=replace(KNOBS, decoder="frame")), "me"))  # latents are reused here
    assert scope.choices(running.SESSIONS.get("me")) == found


@pytest.mark.slow
@pytest.mark.usefixtures("no_files")
def test_the_ablation_is_table_3_and_samples_twice_only(machine, clip):
    all_four = denoised(machine, asked(clip, methods=list(OURS)))
    told = table_3(running.SESSIONS.get("me").figures.rows)
    assert told.count("✓") == 4 and "+ temporal decoder | – | ✓" in told and "| Input (bicubic) |" in told
    running.STORE.samplings.clear(), running.STORE.results.clear()
    three = denoised(machine, asked(clip, methods=["per_frame", "per_frame+tsd", "mgld"]))
    assert all_four == three  # the guided latents of both decoders are the same


@pytest.mark.slow
def test_a_sweep_runs_every_strength_once_and_remembers(machine, clip):
    last = list(running.run_sweep(machine, asked(clip), (0.0, 0.5, 2.0), "me"))[-1]
    assert last[4].stage.layers == ["Input (bicubic)", "Strength 0", "Strength 0.5", "Strength 2"] and last[2].ndim == 3
    assert "| Input (bicubic) |" in last[3] and "| 0.5 |" in last[3]
    assert [len(curve.values) for curve in last[4].stage.curves] == [4, 4] and len(last[4].stage.residual.places) == 4
    before = len(machine.calls)
    list(running.run_sweep(machine, asked(clip), (0.0, 0.5, 2.0), "me"))
    assert len(machine.calls) == before


@pytest.mark.parametrize("text", ["1, 2", "0,1,2,3,4,5", "a, b, c", "0, 1, 101", "", "1 1 1"])
def test_sweeps_refuse_what_is_no_list_of_strengths(text):
    with pytest.raises(Exception, match="3 to 5 different numbers"):
        sweep.strengths_of(text)


def test_lossless_videos_and_a_report_at_the_line_join_the_list(machine, clip):
    list(running.compare(machine, asked(clip, methods=["mgld"], frames=2), "me"))
    (more,) = taking.lossless(SimpleNamespace(session_hash="me"))
    ((again, _),) = taking.report_at_line("y 0.1", None, SimpleNamespace(session_hash="me"))
    names = [file.name for file in again.files]
    assert [file.name for file in more.files][-1] == names[-1] == "MGLD alone, without loss (FFV1)"
    assert "Temporal profile at column 9" in names and len(names) == len(more.files)
    assert more_offered("me") == [True, True, False] and more_offered("somebody else") == [True, False, True]
    with pytest.raises(gr.Error, match=words.NOTHING_YET):
        next(taking.lossless(SimpleNamespace(session_hash="somebody else")))


def more_offered(session: str) -> list[bool]:
    """Return whether the report and lossless videos can be asked for, and whether it is told why not."""
    report, lossless, told = taking.what_more(SimpleNamespace(session_hash=session))
    return [report.interactive, lossless.interactive, told.visible]


@pytest.mark.parametrize("text", ["", "z 0.5", "x 2", "x -1", "x nan", "x 0.5; y", None])
def test_what_is_no_line_is_refused(text):
    assert line_of(text) is None


@pytest.mark.parametrize(("line", "place"), [("x 0", 0), ("x 0.999999", 39), ("y 0.5", 30), ("y 1", 59)])
def test_a_line_is_a_pixel_of_the_layer(line, place):
    assert line_of(line).place(height=40, width=60) == place


@pytest.mark.parametrize(("count", "shape"), [(2, (20, 60)), (3, (20, 90)), (4, (40, 60)), (5, (40, 90))])
def test_two_layers_are_a_pair_and_four_a_quad(count, shape):
    layers = {str(i): np.zeros((2, 20, 30, 3), np.uint8) for i in range(count)}
    assert labelled_grid(layers).shape == (2, *shape, 3)
