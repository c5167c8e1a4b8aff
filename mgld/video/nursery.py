"""A decoder that has loaded what decoders need, and forks one for each file: to start one anew takes 0.2 s of a core.

It never sees a file, and what it forks shares nothing with it but what it had loaded. Linux alone can end the process of
another process for sure (pidfd); elsewhere each decoder is started anew.
"""

from __future__ import annotations

import atexit
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO

from mgld.constants import LIMITS

PIDFDS = sys.platform == "linux" and hasattr(os, "pidfd_open")
TRIES = 2  # the second for a nursery that somebody has ended


class Forked:
    """A decoding process that the nursery forked, as far as it is used like one of our own (subprocess.Popen)."""

    def __init__(self, pid: int, handle: int, stdin: BinaryIO, stdout: BinaryIO) -> None:
        self.pid, self.stdin, self.stdout, self._handle, self._lock = pid, stdin, stdout, handle, threading.Lock()

    def kill(self) -> None:
        with self._lock, suppress(ProcessLookupError):
            if self._handle >= 0 and sys.platform == "linux":
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def poll(self) -> bool | None:
        """Return None while it runs, as Popen does."""
        return True if self._handle < 0 or self._is_over(0) else None

    def wait(self) -> None:
        while self._handle >= 0 and not self._is_over(None):
            pass
        with self._lock:
            if self._handle >= 0:
                os.close(self._handle)
            self._handle = -1

    def _is_over(self, timeout_ms: int | None) -> bool:
        watch = select.poll()
        watch.register(self._handle, select.POLLIN)
        return bool(watch.poll(timeout_ms))


class Nursery:
    """The loaded decoder of this process; `start` runs it with one end of a socket as its input."""

    def __init__(self, start: Callable[[socket.socket], subprocess.Popen]) -> None:
        self._start = start
        self._begin()
        atexit.register(self.close)
        if PIDFDS:
            os.register_at_fork(after_in_child=self._begin)  # a fork of this program has a nursery of its own

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._line: socket.socket | None = None
        self._process: subprocess.Popen | None = None

    def fork(self) -> Forked | None:
        """Return a new decoder; None where none can be had in this way."""
        if not PIDFDS:
            return None
        with self._lock:
            for _ in range(TRIES):
                try:
                    return self._forked(self._opened())
                except OSError:
                    self.close()
        return None

    def close(self) -> None:
        """End the nursery; decoders that it forked go on."""
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._line = self._process = None

    def _opened(self) -> socket.socket:
        if self._line is None:
            self._line, theirs = socket.socketpair()
            self._line.settimeout(LIMITS.decoder_stall_s)
            with theirs:
                self._process = self._start(theirs)
        return self._line

    def _forked(self, line: socket.socket) -> Forked:
        """Hand over what it reads from, writes to and complains to; take its number and a handle on it."""
        (task_from, task_to), (answers_from, answers_to) = os.pipe(), os.pipe()
        stdin, stdout = os.fdopen(task_to, "wb"), os.fdopen(answers_from, "rb")
        try:
            socket.send_fds(line, [b"+"], [task_from, answers_to, 2])
            number, handles, _, _ = socket.recv_fds(line, 20, 1)
            if not handles:
                raise OSError("the nursery ended")
            return Forked(int(number), handles[0], stdin, stdout)
        except OSError:
            stdin.close()
            stdout.close()
            raise
        finally:
            os.close(task_from)
            os.close(answers_to)
