"""Folders for work in progress: each belongs to one living process; what a killed one left is swept away by the next."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = ".lock"  # held as long as the folder is in use: the system lets go of it however the process ends


class WorkFolder:
    """A new folder in parent (None: where temporary files lie), this process's until it is closed or the process ends.

    Folders of the same kind whose processes are gone are removed first. Raises OSError where nothing can be written.
    """

    def __init__(self, prefix: str, suffix: str = "", parent: Path | None = None) -> None:
        sweep(parent or Path(tempfile.gettempdir()), prefix, suffix)
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=prefix, suffix=suffix, dir=parent))
            with suppress(FileNotFoundError):  # swept away before it was locked, by another thread or process
                lock = held(self.path)
                if lock is not None and (self.path / LOCK).exists():
                    self._lock = lock
                    return

    def close(self) -> None:
        """Remove the folder and all that is left in it."""
        _remove(self.path, self._lock)


def held(folder: Path) -> FileLock | None:
    """Take a folder for this process; None if another process, or another part of this one, has it. Raises OSError."""
    lock = FileLock(folder / LOCK, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return None
    return lock


def remove_unused(folder: Path) -> bool:
    """Remove a folder unless it is in use; say whether it is gone."""
    try:
        lock = held(folder)
    except OSError:  # somebody else's, or gone already
        return not folder.exists()
    if lock is None:
        return False
    _remove(folder, lock)
    return not folder.exists()


def _remove(folder: Path, lock: FileLock) -> None:
    """Remove a folder while it is held: who takes it next finds it gone, not going."""
    shutil.rmtree(folder, ignore_errors=True)
    lock.release()
    if os.name == "nt":  # there an open file stays: the lock
        shutil.rmtree(folder, ignore_errors=True)


def sweep(parent: Path, prefix: str, suffix: str = "") -> None:
    """Remove the folders of this kind whose processes are gone; one without a lock is only being made."""
    for folder in parent.glob(f"{prefix}*{suffix}"):
        if (folder / LOCK).exists():
            remove_unused(folder)
