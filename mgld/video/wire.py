"""How the decoding process and the program talk: one line of JSON, then as many bytes as it says.

Never a pickle: what took over a decoder must not be able to run code here.
"""

from __future__ import annotations

import json
from typing import BinaryIO

LONGEST_LINE = 2**20  # bytes


def send(file: BinaryIO, message: dict, payload: bytes | memoryview = b"") -> None:
    """Write one message and what belongs to it."""
    file.write(json.dumps({**message, "bytes": len(payload)}).encode() + b"\n")
    file.write(payload)
    file.flush()


def receive(file: BinaryIO, largest: int) -> tuple[dict, bytearray] | None:
    """Return the next message and its bytes; None at the end; raise ValueError if it is malformed or too large."""
    line = file.readline(LONGEST_LINE)
    if not line:
        return None
    message = json.loads(line)
    size = message.pop("bytes")
    if not isinstance(size, int) or not 0 <= size <= largest:
        raise ValueError(f"a message of {size} bytes")
    payload = bytearray(size)
    read = file.readinto(payload)  # type: ignore[attr-defined]  # every binary file has it, whatever BinaryIO says
    if read != size:
        raise ValueError(f"a message broke off after {read} of {size} bytes")
    return message, payload
