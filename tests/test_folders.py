"""Folders for work in progress belong to living processes, and those of killed ones need no hand cleaning."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mgld import folders
from mgld.folders import LOCK, WorkFolder, held, remove_unused, sweep

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def of_another_process(tmp_path):
    """A folder that a process of its own made and holds; yields (process, folder)."""
    code = "import sys; from pathlib import Path; from mgld.folders import WorkFolder\n"
    code += "made = WorkFolder('work-', parent=Path(sys.argv[1])); print(made.path, flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, **pipes)
    yield process, Path(process.stdout.readline().strip())
    process.kill()
    process.communicate()


def test_a_folder_goes_when_it_is_closed(tmp_path):
    work = WorkFolder("work-", ".part", tmp_path)
    (work.path / "file").write_text("x")
    assert work.path.parent == tmp_path and work.path.name.endswith(".part")
    work.close()
    assert list(tmp_path.iterdir()) == []


def test_what_a_living_process_works_in_stays(tmp_path, of_another_process):
    _, folder = of_another_process
    WorkFolder("work-", parent=tmp_path).close()
    assert folder.is_dir() and not remove_unused(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
def test_what_a_killed_process_left_is_swept_by_the_next_one(tmp_path, of_another_process):
    process, folder = of_another_process
    (folder / "half-written").write_bytes(bytes(1000))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    WorkFolder("other-", parent=tmp_path).close()
    assert folder.is_dir()  # another kind of folder sweeps its own
    WorkFolder("work-", parent=tmp_path).close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_removed_while_it_is_held(tmp_path, monkeypatch):
    """Else who takes it the moment that it is let go of would see it go from under his hands."""
    (tmp_path / "work-left").mkdir()
    (tmp_path / "work-left" / LOCK).touch()
    remove, taken = shutil.rmtree, []
    monkeypatch.setattr(
        shutil, "rmtree", lambda path, ignore_errors: taken.append(held(path)) or remove(path, ignore_errors)
    )
    assert remove_unused(tmp_path / "work-left") and taken == [None]


def test_a_folder_that_is_swept_away_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    tries = []

    def swept_once(folder: Path):
        tries.append(folder)
        if len(tries) == 1:
            shutil.rmtree(folder)
            raise FileNotFoundError(folder)  # as filelock does where it meets the folder half gone
        return held(folder)

    monkeypatch.setattr(folders, "held", swept_once)
    work = WorkFolder("work-", parent=tmp_path)
    assert len(tries) == 2 and work.path.is_dir()
    work.close()


def test_folders_that_are_not_ours_are_left_alone(tmp_path):
    (tmp_path / "work-of-a-person").mkdir()
    sweep(tmp_path, "work-")
    assert (tmp_path / "work-of-a-person").is_dir()


@pytest.mark.skipif(sys.platform == "win32", reason="whose folders have no such modes")
def test_nobody_else_of_the_machine_may_look_into_it(tmp_path):
    folder = WorkFolder("job-", parent=tmp_path)
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    folder.close()
