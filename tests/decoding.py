"""The decoder in this process, for tests to which its own process is nothing: starting one costs more than a small clip."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import av.logging

from mgld.video import child, wire

av.logging.set_level(av.logging.ERROR)  # as the process does: decoders tell of damage in their log alone


class DecoderHere:
    """Stands for the decoding process: the same answers over the same wire, each made when it is asked for."""

    def __init__(self) -> None:
        self.stdin, self.stdout = io.BytesIO(), _Answers(self._made())

    def _made(self) -> Iterator[child.Answer]:
        yield from child.answers(json.loads(self.stdin.getvalue()))

    def kill(self) -> None:
        self.stdout.close()

    def wait(self) -> None:
        """There is nobody to wait for."""


class _Answers:
    """What a decoder writes, as a file that the program reads."""

    def __init__(self, coming: Iterator[child.Answer]) -> None:
        self._coming, self._said = coming, io.BytesIO()

    def readline(self, longest: int) -> bytes:
        self._said = io.BytesIO()
        for answer in self._coming:
            wire.send(self._said, *answer)
            self._said.seek(0)
            break
        return self._said.readline(longest)

    def readinto(self, payload: bytearray) -> int:
        return self._said.readinto(payload)

    def close(self) -> None:
        self._coming.close()
