"""Decoders are forked by one that has loaded, where that can be; and come all the same where it cannot, or has ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from mgld.video import nursery, probe, read_frames, sandbox
from mgld.video.nursery import Nursery
from tests import media

ROOT = Path(__file__).resolve().parents[2]
FORKED = pytest.mark.skipif(not nursery.PIDFDS, reason="each decoder is started anew here")


@pytest.fixture
def clip(tmp_path):
    return media.make_video(tmp_path / "a.mp4", media.coded_frames(40), 10)


@pytest.fixture
def fresh(monkeypatch):
    """A nursery of the test's own."""
    monkeypatch.setattr(sandbox, "NURSERY", made := Nursery(sandbox.NURSERY._start))
    yield made
    made.close()


@pytest.fixture
def started(monkeypatch):
    """List the decoders that a test starts."""
    found, start = [], sandbox._started
    monkeypatch.setattr(sandbox, "_started", lambda: found.append(start()) or found[-1])
    return found


def numbers(clip) -> list[int]:
    return [media.number_of(frame.rgb_u8) for frame in read_frames(clip)]


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def gone(pid: int) -> bool:
    """Wait until a process has ended, whether or not anybody asked how."""
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.1)
    return False


@FORKED
def test_each_file_has_a_decoder_of_its_own_and_all_come_from_one(clip, fresh, started):
    with closing(read_frames(clip)) as one, closing(read_frames(clip)) as other:
        next(one), next(other)
        assert len({decoder.pid for decoder in started}) == 2
        assert {parent_of(decoder.pid) for decoder in started} == {fresh._process.pid}
        held = [{os.readlink(link) for link in Path(f"/proc/{d.pid}/fd").iterdir()} for d in started]
        assert not any(path.startswith("socket:") for path in held[0] | held[1])  # no way back to the nursery
        assert {path for path in held[0] & held[1] if path.startswith("pipe:")} <= {os.readlink("/proc/self/fd/2")}
    assert all(decoder.poll() is not None and gone(decoder.pid) for decoder in started)


@FORKED
def test_many_may_ask_at_once(clip, fresh):
    with ThreadPoolExecutor(8) as visitors:
        assert list(visitors.map(lambda _: numbers(clip), range(16))) == [list(range(40))] * 16


@FORKED
def test_the_end_of_one_decoder_is_nothing_to_the_next(clip, fresh, started):
    with closing(read_frames(clip)) as frames:
        next(frames)
        os.kill(started[0].pid, signal.SIGSEGV)
    nurse = fresh._process.pid
    assert numbers(clip) == list(range(40)) and fresh._process.pid == nurse


@FORKED
def test_a_nursery_that_was_ended_is_started_again(clip, fresh):
    assert probe(clip).frame_count == 40
    first = fresh._process
    first.kill()
    first.wait()
    assert numbers(clip) == list(range(40)) and fresh._process.pid != first.pid


def test_where_none_can_be_had_decoders_are_started_anew(clip, monkeypatch, started):
    monkeypatch.setattr(sandbox, "NURSERY", Nursery(lambda line: subprocess.Popen([sys.executable, "-c", ""])))
    assert numbers(clip) == list(range(40))
    monkeypatch.setattr(nursery, "PIDFDS", False)
    assert numbers(clip) == list(range(40)) and all(isinstance(d, subprocess.Popen) for d in started)


@FORKED
def test_a_fork_of_the_program_has_its_own(clip, fresh, started):
    probe(clip)
    answers, told = os.pipe()
    if not (child := os.fork()):
        try:
            probe(clip)
            os.write(told, f"{parent_of(fresh._process.pid) == os.getpid()} {fresh._process.pid}".encode())
        finally:
            fresh.close()
            os._exit(0)
    os.waitpid(child, 0)
    own, nurse = os.read(answers, 100).split()
    os.close(answers), os.close(told)
    assert own == b"True" and int(nurse) != fresh._process.pid and gone(int(nurse))
    assert fresh._process.poll() is None and numbers(clip) == list(range(40))


@FORKED
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, None])
def test_it_ends_with_the_program(clip, end):
    code = "import signal, sys; from mgld.video import probe, sandbox; probe(sys.argv[1])\n"
    code += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # which tests in the background have it ignore
    code += "print(sandbox.NURSERY._process.pid, flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    program = subprocess.Popen([sys.executable, "-c", code, str(clip)], cwd=ROOT, start_new_session=True, **pipes)
    nurse = int(program.stdout.readline())
    if end is not None:
        os.killpg(program.pid, end) if end == signal.SIGINT else program.kill()  # as a terminal does: all hear of it
    said = program.communicate()[1]
    assert gone(nurse) and said.count("Traceback") == (end == signal.SIGINT)  # the program's own
