"""Work on an untrusted file in a process of its own, so that a crash, a hang or a greedy file costs only itself."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO, cast

from mgld.constants import LIMITS
from mgld.errors import UserError
from mgld.host import PASSED_ON
from mgld.video import refusals, wire
from mgld.video.nursery import Forked, Nursery

Decoder = subprocess.Popen | Forked
ROOT = Path(__file__).resolve().parents[2]
LARGEST_FRAME = 3 * LIMITS.largest_frame_px  # bytes
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"), "1")
LOG = logging.getLogger(__name__)
_told: set[str] = set()


def ask(task: str, path: Path, **details: object) -> Generator[tuple[dict, bytearray], None, None]:
    """Yield what the child answers to a task about path; details are JSON-ready.

    Raises UserError as the child does, and if it crashes, hangs for LIMITS.decoder_stall_s or wants too much memory.
    The child ends with the generator.
    """
    process = _started()
    to_child, from_child = cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)  # both are pipes
    try:
        _tell(to_child, {"task": task, "path": str(path.absolute()), **details})
        while (answer := _next(process, path)) is not None:
            yield answer
    finally:
        process.kill()
        process.wait()
        to_child.close()
        from_child.close()


def _started() -> Decoder:
    return NURSERY.fork() or _anew(subprocess.PIPE)


def _anew(stdin: int, *options: str) -> subprocess.Popen:
    """Start the child by its module: a fork of ours would carry CUDA and locks along, multiprocessing the whole page."""
    found = os.pathsep.join([str(ROOT), *(str(Path(p).absolute()) for p in sys.path if p)])
    return subprocess.Popen(
        [sys.executable, "-m", "mgld.video.child", *options],
        stdin=stdin, stdout=subprocess.PIPE if stdin == subprocess.PIPE else subprocess.DEVNULL, cwd=ROOT,
        env={**PASSED_ON, "PYTHONPATH": found, **ONE_THREAD},
    )  # fmt: skip


NURSERY = Nursery(lambda line: _anew(line.fileno(), "nursery"))


def _tell(child: BinaryIO, job: dict) -> None:
    try:
        wire.send(child, job)
    except OSError:
        return  # it died: the first answer will be missing, and says so


def _next(process: Decoder, path: Path) -> tuple[dict, bytearray] | None:
    """Return the next answer, None when all is said; raise UserError if none comes."""
    watch = threading.Timer(LIMITS.decoder_stall_s, process.kill)
    watch.start()
    try:
        answer = wire.receive(cast(BinaryIO, process.stdout), LARGEST_FRAME)
    except (ValueError, KeyError, TypeError, AttributeError):
        answer = None
    stalled = not watch.is_alive()
    watch.cancel()
    if answer is None:
        raise refusals.decoder_stalled(path) if stalled else refusals.decoder_died(path)
    message, payload = answer
    _raise_refusal(message, path)
    if "lacking" in message:
        _say_once(message["lacking"])
        return _next(process, path)
    return None if "end" in message else (message, payload)


def _raise_refusal(message: dict, path: Path) -> None:
    if "refused" in message:
        raise UserError(message["refused"].replace(str(path.absolute()), str(path)))  # as it was named here
    if "broke" in message:
        LOG.error("decoding failed in a way that nobody foresaw:\n%s", message["broke"])
        raise refusals.decoder_died(path)


def _say_once(lacking: list[str]) -> None:
    """Say which bounds this system does not know."""
    new = set(lacking) - _told
    if new:
        _told.update(new)
        LOG.warning("this system does not bound the decoder's %s", ", ".join(sorted(new)))
