"""What an untrusted file does to the decoder stays with the decoder."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from mgld import constants
from mgld.errors import UserError
from mgld.video import nursery, probe, read_frames, sandbox
from mgld.video.sandbox import ask
from tests import media

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into Linux's /proc")


@pytest.fixture
def clip(tmp_path):
    return media.make_video(tmp_path / "a.mp4", media.coded_frames(40), 10)


@pytest.fixture
def started(monkeypatch):
    """List the decoders that a test starts."""
    found, start = [], sandbox._started
    monkeypatch.setattr(sandbox, "_started", lambda: found.append(start()) or found[-1])
    return found


def misbehaving(monkeypatch, code: str) -> None:
    """Let every decoder run this code instead of its own; it sees job, the task, and out, where answers go."""
    start = "import json, os, sys; from mgld.video import wire; from mgld.video.confine import confine\n"
    start += "job, out = json.loads(sys.stdin.buffer.readline()), sys.stdout.buffer\n"
    popen = subprocess.Popen
    monkeypatch.setattr(nursery, "PIDFDS", False)  # each decoder is started anew
    monkeypatch.setattr(
        subprocess, "Popen", lambda command, **options: popen([sys.executable, "-c", start + code], **options)
    )


def test_a_crash_is_one_sentence(clip, monkeypatch):
    misbehaving(monkeypatch, "import ctypes; os.close(2); ctypes.string_at(1)")
    for look in (probe, lambda p: list(read_frames(p))):
        with pytest.raises(UserError, match="made the decoder stop"):
            look(clip)


def test_what_is_loaded_for_some_clips_alone_loads_in_a_confined_decoder(tmp_path):
    """OpenCV, for pixels that are not square: every other decoder starts without it."""
    media.ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=0.04", "-vf", "setsar=2/1", str(tmp_path / "a.mp4"))
    assert [f.rgb_u8.shape for f in read_frames(tmp_path / "a.mp4")] == [(48, 128, 3)]


def test_what_libav_complains_of_is_not_printed(tmp_path, capfd):
    """Its words are of no use to a person, and a file may choose them: they stand in nobody's terminal or log."""
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(500))
    with pytest.raises(UserError, match="incomplete"):
        probe(tmp_path / "a.mp4")
    assert capfd.readouterr().err == ""


def test_a_crash_midway_keeps_what_came_before(clip, started):
    frames = read_frames(clip)
    assert media.number_of(next(frames).rgb_u8) == 0
    os.kill(started[0].pid, signal.SIGKILL)
    with pytest.raises(UserError, match="made the decoder stop"):
        list(frames)


def test_a_decoder_that_hangs_is_given_up(clip, monkeypatch, started):
    monkeypatch.setattr(sandbox, "LIMITS", replace(constants.LIMITS, decoder_stall_s=1.5))
    misbehaving(monkeypatch, "import time; time.sleep(60)")
    before = time.monotonic()
    with pytest.raises(UserError, match="kept the decoder busy"):
        probe(clip)
    assert time.monotonic() - before < 10 and started[0].poll() is not None


def test_waiting_for_the_reader_is_no_hang(clip, monkeypatch):
    monkeypatch.setattr(sandbox, "LIMITS", replace(constants.LIMITS, decoder_stall_s=5))
    frames = read_frames(clip)
    next(frames)
    monkeypatch.setattr(sandbox, "LIMITS", replace(constants.LIMITS, decoder_stall_s=1))
    time.sleep(1.5)  # a slow model
    assert len(list(frames)) == 39


@pytest.mark.parametrize(
    "answer",
    [
        "out.write(b'not json')",
        "out.write(b'[1]\\n')",
        "out.write(json.dumps({'bytes': 10**12}).encode() + b'\\n')",
        "wire.send(out, {'shape': [48, 64, 3], 'time_s': 0}, b'short')",
        "wire.send(out, {'shape': [48, 64, 3], 'time_s': 'now'}, bytes(48 * 64 * 3))",
        "wire.send(out, {'shape': [-48, -64, 3], 'time_s': 0}, bytes(48 * 64 * 3))",
        "wire.send(out, {'shape': 'large', 'time_s': 0}, b'')",
        "wire.send(out, {'frames': 1}, b'')",
    ],
)
def test_a_decoder_that_was_taken_over_can_say_what_it_likes(clip, monkeypatch, answer):
    misbehaving(monkeypatch, answer)
    with pytest.raises(UserError, match="made the decoder stop"):
        list(read_frames(clip))


def test_memory_is_bounded(clip, monkeypatch):
    if sys.platform == "darwin":
        pytest.skip("macOS bounds no process's memory")
    hungry = "confine(False)\ntry: bytearray(3 * 2**30)\nexcept MemoryError: wire.send(out, {'refused': 'bounded'})"
    misbehaving(monkeypatch, hungry)
    with pytest.raises(UserError, match="bounded"):
        probe(clip)


@LINUX
def test_a_decoder_can_neither_write_nor_reach_the_network(clip, tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        tries = f"""
lacking, told = confine(False), []
import signal, socket
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    socket.create_connection(("127.0.0.1", {server.getsockname()[1]}), timeout=1)
except OSError: told.append("no network")
try:
    with open({str(tmp_path / "stolen")!r}, "wb", buffering=0) as file: file.write(b"x" * 100)
except OSError: told.append("no writing")
wire.send(out, {{"refused": json.dumps([lacking, told])}})"""
        misbehaving(monkeypatch, tries)
        with pytest.raises(UserError) as caught:
            probe(clip)
        lacking, told = json.loads(str(caught.value))
        assert "no writing" in told
        if "network" not in lacking:  # containers may forbid a process to give its network up
            assert "no network" in told
            with pytest.raises(TimeoutError):
                server.accept()


@LINUX
def test_a_decoder_knows_no_secrets_and_no_other_files(clip, monkeypatch, started):
    monkeypatch.setenv("HF_TOKEN", "secret")
    secret = clip.open("rb")
    frames = read_frames(clip)
    next(frames)
    process = Path("/proc") / str(started[0].pid)
    assert b"HF_TOKEN" not in (process / "environ").read_bytes()
    opened = [os.readlink(link) for link in (process / "fd").iterdir()]
    assert opened.count(str(clip)) == 1  # its own, not the one that is open here
    secret.close()
    frames.close()


@pytest.mark.parametrize("taken", [1, 3])
def test_a_reader_that_stops_early_leaves_no_process(clip, started, taken):
    with closing(read_frames(clip)) as frames:
        for _ in range(taken):
            next(frames)
    assert started[0].poll() is not None


@LINUX
def test_a_decoder_ends_when_the_program_is_killed(clip):
    code = "import sys, time; from mgld.video import read_frames, sandbox; start = sandbox._started\n"
    code += "def told():\n    process = start(); print(process.pid, flush=True); return process\n"
    code += "sandbox._started = told; frames = read_frames(sys.argv[1]); next(frames); print('ready', flush=True)\n"
    code += "time.sleep(60)"
    program = subprocess.Popen([sys.executable, "-c", code, str(clip)], stdout=subprocess.PIPE, text=True)
    child = int(program.stdout.readline())
    assert program.stdout.readline() == "ready\n"
    program.kill()
    program.wait()
    program.stdout.close()
    for _ in range(100):
        if not Path(f"/proc/{child}/fd").exists() or not os.listdir(f"/proc/{child}/fd"):
            return
        time.sleep(0.1)
    pytest.fail("the decoder outlived its program")


def test_a_hidden_fault_is_logged_and_told_in_one_sentence(clip, monkeypatch, caplog):
    misbehaving(monkeypatch, "wire.send(out, {'broke': 'Traceback: the cause'})")
    with pytest.raises(UserError, match="made the decoder stop"):
        probe(clip)
    assert "the cause" in caplog.text


def test_bounds_that_are_lacking_are_said_once(clip, monkeypatch, caplog):
    monkeypatch.setattr(sandbox, "_told", set())
    misbehaving(monkeypatch, "wire.send(out, {'lacking': ['memory']}); wire.send(out, {'refused': 'no'})")
    for _ in range(2):
        with pytest.raises(UserError, match="no"):
            next(ask("probe", clip))
    assert caplog.text.count("does not bound the decoder's memory") == 1


def test_names_are_told_as_they_were_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.mp4").write_bytes(b"nothing")
    with pytest.raises(UserError, match="^a.mp4 is a text file"):
        probe("a.mp4")
