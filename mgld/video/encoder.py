"""Frames into ffmpeg, a process of its own, whose words are kept in case it fails."""

from __future__ import annotations

import logging
import re
import signal
import subprocess
import sys
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, cast

import imageio_ffmpeg
import numpy as np

LOG = logging.getLogger(__name__)
# Ctrl-C is for the program, which ends its encoders itself.
APART: dict = {"start_new_session": True}
if sys.platform == "win32":
    APART = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
SPEAKER = re.compile(r"^(\[[^\]]*\]\s*)+")  # "[libx264 @ 0x55c1] ", before what it says
SILENT_END = "the encoder stopped; is the disk full?"  # so full that not even its words found room


class FrameEncoder:
    """ffmpeg, to which frames u8 [H,W,3] go one by one; raises OSError with the cause in ffmpeg's own words."""

    def __init__(self, path: Path, height: int, width: int, fps: float, options: list[str]) -> None:
        self._path, self._words = path, path.with_name("encoder.log")
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-f", "rawvideo", "-vcodec", "rawvideo", "-pix_fmt", "rgb24"]
        command += ["-s", f"{width}x{height}", "-r", str(Fraction(fps).limit_denominator()), "-i", "-", "-an"]
        command += [*options, "-v", "error", str(path)]
        # No pipe for its words: nobody would read that while frames go in, and a full one would halt it.
        with self._words.open("wb") as words:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=words, **APART
            )
        self._frames_in = cast(BinaryIO, self._process.stdin)  # a pipe

    def write(self, rgb_u8: np.ndarray) -> None:
        try:
            self._frames_in.write(np.ascontiguousarray(rgb_u8).data)
        except OSError as error:
            self._process.wait()  # it closed the pipe: it is about to end
            raise self._failure() from error

    def finish(self) -> None:
        """Wait until everything is encoded and in the file."""
        with suppress(OSError):  # what was not written yet goes nowhere, as its words or its end tell
            self._frames_in.close()
        if self._process.wait() != 0:
            raise self._failure()

    def stop(self) -> None:
        """End it, however far it came."""
        self._process.kill()
        self._process.wait()
        with suppress(OSError):
            self._frames_in.close()

    def _failure(self) -> OSError:
        """Return the cause: what it said first, for the rest follows from that; all of it goes to the log."""
        code = self._process.returncode
        said = self._words.read_text(encoding="utf-8", errors="replace").replace(str(self._path), self._path.name)
        LOG.error("the encoder ended with code %d and said:\n%s", code, said.strip() or "nothing")
        if code < 0 and not said.strip():
            name = signal.Signals(-code).name
            return OSError(f"the encoder was ended from outside (signal {name}); is memory short?")
        first = SPEAKER.sub("", said.strip().partition("\n")[0]).rstrip(" .")
        return OSError(f"the encoder said “{first}”" if first else SILENT_END)
