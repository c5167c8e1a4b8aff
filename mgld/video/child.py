"""The decoding process: reads one task from its input, answers on its output, and ends; or forks such processes (nursery)."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn, cast

import av.logging

from mgld import errors
from mgld.errors import UserError
from mgld.video import archive, decode, mux, refusals, wire
from mgld.video.confine import confine, renew_cpu_time
from mgld.video.container import BROKEN

Answer = tuple[dict, bytes | memoryview]


def probed(path: Path, job: dict) -> Iterator[Answer]:
    """Answer with what the header tells."""
    yield {"probe": asdict(decode.probe(path, job["fps"]))}, b""


def read(path: Path, job: dict) -> Iterator[Answer]:
    """Answer with frames, then with what there is to say of them."""
    notes: list[str] = []
    for frame in decode.frames(path, job["start_s"], job["max_frames"], job["fps"], job["deinterlace"], notes):
        renew_cpu_time()
        yield {"shape": frame.rgb_u8.shape, "time_s": frame.time_s}, frame.rgb_u8.reshape(-1).data
    yield {"notes": notes}, b""


def planned(path: Path, job: dict) -> Iterator[Answer]:
    """Answer with what of the source cannot be kept."""
    way, notes = mux.plan(path, job["suffix"])
    yield {"way": way, "notes": notes}, b""


def muxed(path: Path, job: dict) -> Iterator[Answer]:
    """Put pictures and the source's sound together; answer now and then, that the work goes on."""
    try:
        for notes in mux.mux(path, mux.MuxJob(**job["job"])):
            renew_cpu_time()
            yield {"notes": notes}, b""
    except BROKEN as error:
        yield {"failed": getattr(error, "strerror", None) or str(error)}, b""


TASKS = {"probe": probed, "read": read, "plan": planned, "mux": muxed}


def source_of(path: Path) -> Path:
    """Return the path; of a zip its one folder of pictures, which is a folder as far as reading asks."""
    return cast(Path, archive.opened(path)) if archive.is_archive(path) else path


def answers(job: dict) -> Iterator[Answer]:
    """Do one task; every way in which it can end becomes a message."""
    path = Path(job.pop("path"))
    try:
        yield from TASKS[job.pop("task")](source_of(path), job)
        yield {"end": True}, b""
    except UserError as error:
        yield {"refused": str(error)}, b""
    except FileNotFoundError:  # it was there when it was looked at
        yield {"refused": str(errors.file_missing(path))}, b""
    except MemoryError:
        yield {"refused": str(refusals.decoder_memory(path))}, b""
    except Exception:
        yield {"broke": traceback.format_exc()}, b""


def main() -> None:
    """Keep the real output for answers: whatever a library prints goes to the error output."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    av.logging.set_level(av.logging.ERROR)  # decoders tell of damage in their log alone
    logging.getLogger("libav").addHandler(logging.NullHandler())  # its words are for us, not for a terminal
    job = json.loads(sys.stdin.buffer.readline())
    wire.send(out, {"lacking": confine(may_write=job["task"] == "mux")})
    renew_cpu_time()
    with suppress(BrokenPipeError):  # nobody listens any more
        for message, payload in answers(job):
            wire.send(out, message, payload)


def nurse(line: socket.socket) -> None:
    """Fork a decoder for each input, output and error output that come, until the program ends or closes its end of the line."""
    if sys.platform == "linux":  # as nursery.PIDFDS says
        # who ends is gone; Ctrl-C is for the program
        ours = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGCHLD)}
        while ends := socket.recv_fds(line, 1, 3)[1]:
            if not (pid := os.fork()):
                line.close()
                for each, before in ours.items():
                    signal.signal(each, before)
                _forked(ends)
            handle = os.pidfd_open(pid)
            socket.send_fds(line, [str(pid).encode()], [handle])
            for end in (handle, *ends):
                os.close(end)


def _forked(ends: list[int]) -> NoReturn:
    """Be a decoder as if started anew: nothing of the nursery's is left open, and nothing of its own way to end is done."""
    for number, end in enumerate(ends):
        os.dup2(end, number)
        os.close(end)
    try:
        main()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


if __name__ == "__main__":
    if "nursery" in sys.argv[1:]:
        with socket.socket(fileno=os.dup(0)) as line:
            nurse(line)
    else:
        main()
