"""Runs that were stopped go on where they were, and what comes out is what an uninterrupted run gives, byte for byte."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mgld import host
from mgld.__main__ import main
from mgld.errors import UserError
from mgld.events import FramesDone, Guided, Resumed, Sampled
from mgld.kept import KeptRun, run_key, sweep, told
from mgld.segment import NOTHING_WATCHED, Watch
from mgld.settings import Settings
from mgld.video import Frame, read_frames
from tests import media

ROOT = Path(__file__).resolve().parent.parent
QUICK = Settings(steps=2, segment=3, overlap=1)
SOURCE, WEIGHTS = {"sha256": "of the clip"}, {"name": "tiny", "sha256": "of the weights"}


def key_of(wanted: Settings = QUICK) -> str:
    return run_key(wanted, WEIGHTS, "cpu", "float32", SOURCE)


def run(
    pipeline, clip_u8, segments: int | None = None, wanted: Settings = QUICK, watch: Watch = NOTHING_WATCHED
) -> list:
    """Run with what is kept, and stop as if killed after so many segments; return the events."""
    clip, events = [Frame(rgb, i / 10) for i, rgb in enumerate(clip_u8)], []
    with closing(KeptRun(key_of(wanted))) as kept:
        for event in pipeline.run(clip, wanted, len(clip), watch, kept=kept):
            events.append(event)
            if segments is not None and sum(isinstance(e, FramesDone) for e in events) == segments:
                return events
    return events


def frames_in(events: list) -> np.ndarray:
    return np.concatenate([e.frames_u8 for e in events if isinstance(e, FramesDone)])


CASES = {
    "guided": QUICK,
    "of one scene that share more than half": replace(QUICK, overlap=2),
    "cut as published": replace(QUICK, segments="disjoint"),
    "frame by frame": replace(QUICK, method="per_frame"),
    "wavelet": replace(QUICK, colour="wavelet", decoder="frame"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_run_that_is_stopped_twice_gives_the_same_bytes(pipeline, clip_u8, name):
    whole = pipeline(clip_u8, CASES[name])
    for stopped_after in (1, 2):
        run(pipeline, clip_u8, stopped_after, CASES[name])
    assert np.array_equal(frames_in(run(pipeline, clip_u8, wanted=CASES[name])), whole)


def test_finished_segments_are_not_made_again(pipeline, clip_u8, monkeypatch):
    run(pipeline, clip_u8, 2)
    calls, forward = [], pipeline.unet.forward
    monkeypatch.setattr(pipeline.unet, "forward", lambda *a, **k: calls.append(1) or forward(*a, **k))
    events = run(pipeline, clip_u8)
    assert len(calls) == QUICK.steps  # of the third segment alone
    assert events[0] == Resumed(2, None, 4) and told(events[0]) == "2 segments were there"  # repeats may come
    assert events[-1].report["frames"] == 7 and events[-1].report["frames_resumed"] == 4
    assert "sample" not in str([e for e in run(pipeline, clip_u8) if type(e).__name__ == "Progress"])


def test_what_was_told_of_a_segment_is_told_again(pipeline, clip_u8):
    watch = Watch(guidance=True)
    before = run(pipeline, clip_u8, watch=watch)
    again = run(pipeline, clip_u8, watch=watch)
    for kind in (Guided, Sampled):
        one, two = ([vars(e) for e in events if isinstance(e, kind)] for events in (before, again))
        assert len(one) == 3 and str(one) == str(two)


def test_a_scene_that_ends_leaves_no_seam(pipeline, clip_u8):
    clip = np.concatenate([clip_u8[:4], 255 - clip_u8[::-1][:4]])
    whole = pipeline(clip, QUICK)
    for stopped_after in (1, 2, 3):
        run(pipeline, clip, stopped_after)
        assert np.array_equal(frames_in(run(pipeline, clip)), whole)


@pytest.mark.parametrize(
    "other", [{"seed": 7}, {"steps": 1}, {"colour": "none"}, {"segment": 4}, {"overlap": 2}, {"scenes": "ignored"}]
)
def test_what_has_a_say_in_the_bytes_has_one_in_the_key(other):
    assert key_of() != key_of(replace(QUICK, **other))


def test_other_content_weights_devices_and_programs_have_other_keys(monkeypatch):
    said = (QUICK, WEIGHTS, "cpu", "float32", SOURCE)
    others = {1: WEIGHTS | {"sha256": "of others"}, 2: "cuda:0", 3: "bfloat16", 4: {"sha256": "of another clip"}}
    keys = {run_key(*(others[i] if i == at else value for i, value in enumerate(said))) for at in others}
    keys.add(run_key(*said))
    monkeypatch.setattr("mgld.kept.__version__", "next")
    assert len({*keys, run_key(*said)}) == 6


def test_a_finished_run_leaves_nothing(pipeline, clip_u8):
    run(pipeline, clip_u8)
    kept = KeptRun(key_of())
    assert kept.count == 3
    kept.remove()
    assert list(host.UNFINISHED.iterdir()) == []


def kept_files() -> list[Path]:
    return sorted(host.UNFINISHED.rglob("*-*.npz"))


def test_half_written_and_damaged_files_are_made_again(pipeline, clip_u8):
    whole = pipeline(clip_u8, QUICK)
    run(pipeline, clip_u8, 2)
    first, second = kept_files()
    (first.parent / "xyz.part").write_bytes(b"half")
    second.write_bytes(second.read_bytes()[:1000])  # a disk that lost power
    events = run(pipeline, clip_u8)
    assert not any(isinstance(e, Resumed) for e in events) and np.array_equal(frames_in(events), whole)
    assert not list(host.UNFINISHED.rglob("*.part"))


def test_a_file_with_flipped_bits_is_a_sentence_and_then_gone(pipeline, clip_u8):
    run(pipeline, clip_u8, 2)
    data = bytearray(kept_files()[0].read_bytes())
    data[400] ^= 255
    kept_files()[0].write_bytes(data)
    with pytest.raises(UserError, match="run again"):
        run(pipeline, clip_u8)
    assert kept_files() == [] and len(frames_in(run(pipeline, clip_u8))) == 7


def test_room_is_made_at_the_cost_of_older_runs_and_never_exceeded(pipeline, clip_u8, monkeypatch):
    run(pipeline, clip_u8, 1)
    one = sum(file.stat().st_size for file in host.UNFINISHED.rglob("*.npz"))
    monkeypatch.setattr(host, "UNFINISHED_BYTES", int(1.5 * one))
    run(pipeline, clip_u8, 1, replace(QUICK, seed=1))
    with closing(KeptRun(key_of())) as old, closing(KeptRun(key_of(replace(QUICK, seed=1)))) as new:
        assert (old.count, new.count) == (0, 1)
    assert sum(file.stat().st_size for file in host.UNFINISHED.rglob("*.npz")) <= host.UNFINISHED_BYTES


def test_where_there_is_no_room_the_run_goes_on_and_says_so(pipeline, clip_u8, monkeypatch):
    monkeypatch.setattr(host, "SPARE_BYTES", 10**18)
    clip = [Frame(rgb, float(i)) for i, rgb in enumerate(clip_u8)]
    kept = KeptRun(key_of())
    events = list(pipeline.run(clip, QUICK, kept=kept))
    assert len(frames_in(events)) == 7 and kept.count == 0 and "no room" in kept.notes[0]


def test_a_cache_that_cannot_be_written_is_a_note(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(host, "UNFINISHED", tmp_path / "file" / "unfinished")
    assert "not kept" in KeptRun(key_of()).notes[0]


def test_two_runs_of_one_kind_do_not_share_a_folder():
    with closing(KeptRun(key_of())), closing(KeptRun(key_of())) as second:
        assert "elsewhere" in second.notes[0]


def test_old_runs_are_swept(pipeline, clip_u8):
    run(pipeline, clip_u8, 1)
    sweep()
    (folder,) = host.UNFINISHED.iterdir()
    os.utime(folder, (0, 0))
    sweep()
    assert not folder.exists()


def test_a_run_that_ends_and_goes_while_it_is_looked_at_stops_no_other(monkeypatch):
    (host.UNFINISHED / "ending").mkdir(parents=True)
    there = Path.is_dir
    monkeypatch.setattr(Path, "is_dir", lambda path: there(path) and (path.name != "ending" or not path.rmdir()))
    assert KeptRun(key_of()).notes == []


# The program, loaded once, runs commands in children of its own: to load it takes two seconds of a core. A command may stop itself
# once a segment is kept: whoever is slow to look finds it no further. Told are the number of each child, its stops and its end.
LOADED = """import json, os, signal, sys
from pathlib import Path
from mgld import host, light; light.start()  # as commands do
import mgld.pipeline
from mgld.__main__ import main
from mgld.kept import KeptRun
keep = KeptRun.keep
def keep_and_stop(self, *segment):
    keep(self, *segment)
    os.kill(os.getpid(), signal.SIGSTOP)
for line in sys.stdin:
    asked = json.loads(line)
    if not (child := os.fork()):
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # as a person starts it
        os.dup2(os.open(asked["said"], os.O_WRONLY | os.O_CREAT), 2)
        host.UNFINISHED = Path(asked["unfinished"])
        if asked["stops"]:
            KeptRun.keep = keep_and_stop
        os._exit(main(asked["command"]))
    print(child, flush=True)
    while os.WIFSTOPPED(state := os.waitpid(child, os.WUNTRACED)[1]):
        print("stopped", flush=True)
    print(os.waitstatus_to_exitcode(state), flush=True)
"""


class Loaded:
    """The loaded program, and the command that it runs."""

    def __init__(self) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.program = subprocess.Popen([sys.executable, "-c", LOADED], cwd=ROOT, **pipes)
        self.process = 0

    def run(self, command: list[str], said: Path, stops: bool = True) -> None:
        """Start a command whose words go to a file; one that stops itself has done so when this returns."""
        asked = {"command": command, "said": str(said), "unfinished": str(host.UNFINISHED), "stops": stops}
        print(json.dumps(asked), file=self.program.stdin, flush=True)
        self.process = int(self.program.stdout.readline())
        assert not stops or self.program.stdout.readline() == "stopped\n"

    def ended(self) -> int:
        """Wait for its end; return its exit code, or the signal that ended it below zero."""
        return int(self.program.stdout.readline())


@pytest.fixture(scope="module")
def loaded() -> Iterator[Loaded]:
    yield (loaded := Loaded())
    loaded.program.communicate()


def command(tmp_path: Path, out: str) -> list[str]:
    arguments = ["upscale", str(tmp_path / "clip.mkv"), str(tmp_path / out), "--lossless", "--device", "cpu"]
    return [*arguments, "--model", str(tmp_path / "model"), "--steps", "2", "--segment", "3", "--overlap", "1"]


@pytest.fixture
def place(tmp_path, pipeline, monkeypatch) -> Path:
    """A folder of its own with a model and a clip, and a cache in it."""
    pipeline.save_pretrained(tmp_path / "model")
    media.ffmpeg("-f", "lavfi", "-i", "testsrc=s=32x24:r=25:d=1", "-c:v", "ffv1", str(tmp_path / "clip.mkv"))
    monkeypatch.setattr(host, "UNFINISHED", tmp_path / "cache" / "unfinished")
    return tmp_path


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
def test_after_kill_9_the_same_command_goes_on_and_gives_the_same_bytes(place, loaded, capsys):
    assert main(command(place, "whole.mkv")) == 0
    loaded.run(command(place, "out.mkv"), place / "said")
    os.kill(loaded.process, signal.SIGKILL)
    assert loaded.ended() == -signal.SIGKILL
    capsys.readouterr()
    assert main(command(place, "out.mkv")) == 0
    assert "1 segment was there" in capsys.readouterr().err
    whole, again = ([f.rgb_u8 for f in read_frames(place / name)] for name in ("whole.mkv", "out.mkv"))
    assert len(again) == 25 and np.array_equal(whole, again)
    assert sorted(p.name for p in place.iterdir()) == ["cache", "clip.mkv", "model", "out.mkv", "said", "whole.mkv"]
    assert list((place / "cache" / "unfinished").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
def test_being_stopped_says_that_the_command_goes_on_and_leaves_nothing_half_written(place, loaded):
    """By what a service manager sends."""
    loaded.run(command(place, "out.mkv"), place / "said")
    os.kill(loaded.process, signal.SIGTERM)
    os.kill(loaded.process, signal.SIGCONT)
    assert loaded.ended() == 130
    said = (place / "said").read_text()
    assert "kept: the same command goes on from there." in said and said.splitlines()[-1] == "mgld: stopped."
    assert sorted(p.name for p in place.iterdir()) == ["cache", "clip.mkv", "model", "said"]


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
def test_being_stopped_ends_quietly_and_leaves_nothing(place, loaded):
    """By Ctrl-C, in the middle of whatever it does."""
    loaded.run([*command(place, "out.mkv"), "--steps", "20"], place / "said", stops=False)  # long enough to be met
    end = time.monotonic() + 240
    while not list(place.glob(".mgld-*/result/encoded.mkv")):
        assert time.monotonic() < end, (place / "said").read_text()
        time.sleep(0.02)
    os.killpg(loaded.process, signal.SIGINT)  # as a terminal does: the encoder gets it too
    assert loaded.ended() == 130 and (place / "said").read_text().splitlines()[-1] == "mgld: stopped."
    assert sorted(p.name for p in place.iterdir()) == ["cache", "clip.mkv", "model", "said"]
