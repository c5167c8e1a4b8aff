"""Visitors whose clips tell whose they are: every pixel's level says which visitor and which frame it belongs to."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from gradio_client import Client, handle_file

from tests import media

FRAMES, SIDE = 2, 32
LEVELS = 20  # visitors that can be told apart
TOLERANCE = 3  # grey levels; two visitors' clips are 11 apart
PATIENCE_S = 540


@dataclass
class Visit:
    """What a visitor asked and got: levels of the frames that went in and came out, and the places in the line that were told."""

    number: int
    asked: list[float]
    got: list[float] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    seconds: float = 0.0
    refusal: str = ""

    @property
    def is_own(self) -> bool:
        """Say whether what came back is what this visitor sent."""
        return len(self.got) == len(self.asked) and np.abs(np.subtract(self.got, self.asked)).max() <= TOLERANCE


def visit(address: str, number: int, folder: Path) -> Visit:
    """Upload a clip of one's own, wait for one's turn, and read the levels of the result."""
    made = Visit(number, [15.0 + 11 * (number % LEVELS) + 4 * i for i in range(FRAMES)])
    frames = [media.flat((round(level),) * 3, SIDE, SIDE) for level in made.asked]
    clip = media.make_video(folder / f"visitor-{number}.mp4", frames, fps=10)
    started, client = time.monotonic(), Client(address, verbose=False, download_files=folder / f"got-{number}")
    asked = {"clip": handle_file(clip), "methods": ["per_frame"], "frames": FRAMES, "steps": 1}
    job = client.submit(**asked, truth=None, others=None, api_name="/compare")
    while not job.done() and time.monotonic() - started < PATIENCE_S:
        rank = job.status().rank
        made.places += [rank] if rank is not None else []
        time.sleep(0.2)
    try:
        *_, files = job.result(timeout=1)
        video = next(file["file"] for file in files["files"] if file["file"].endswith("per_frame.mp4"))
        made.got = media.ffmpeg_decode(Path(video), 4 * SIDE, 4 * SIDE).mean((1, 2, 3)).tolist()
    except Exception as error:  # whatever a visitor is told instead of a result
        made.refusal = f"{type(error).__name__}: {error}"
    client.close()
    made.seconds = time.monotonic() - started
    return made


def all_at_once(address: str, count: int, folder: Path) -> list[Visit]:
    """Let so many visitors come at the same moment."""
    with ThreadPoolExecutor(count) as visitors:
        return list(visitors.map(lambda number: visit(address, number, folder), range(count)))
