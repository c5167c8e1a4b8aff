"""Visitors whose clips tell whose they are: every pixel's level says which visitor and which frame it belongs to."""

from __future__ import annotations

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests import media
from tests.served import Served, given

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
    """Upload a clip of one's own, wait for one's turn, read the levels of the result, and leave."""
    made = Visit(number, [15.0 + 11 * (number % LEVELS) + 4 * i for i in range(FRAMES)])
    frames = [media.flat((round(level),) * 3, SIDE, SIDE) for level in made.asked]
    clip = media.make_video(folder / f"visitor-{number}.mp4", frames, fps=10)
    started, session = time.monotonic(), secrets.token_hex(6)
    with closing(Served(address, PATIENCE_S)) as served, served.present(session):
        event = served.event("compare")
        asked = {"methods": ["per_frame"], "frames": FRAMES, "knob-steps": 1}
        answers = served.call(event, given(served, event, clip=served.upload(clip), **asked), session)
        ranks = (answer.get("rank") for answer in answers if answer["msg"] == "estimation")
        made.places = [rank for rank in ranks if rank is not None]
        if answers[-1]["success"]:
            files = answers[-1]["output"]["data"][3]["files"]
            result = next(each["file"] for each in files if each["file"]["orig_name"] == "per_frame.mp4")
            got = folder / f"got-{number}.mp4"
            got.write_bytes(served.http.get(result["url"]).raise_for_status().content)
            made.got = media.ffmpeg_decode(got, 4 * SIDE, 4 * SIDE).mean((1, 2, 3)).tolist()
        else:
            made.refusal = str(answers[-1]["output"])
    made.seconds = time.monotonic() - started
    return made


def all_at_once(address: str, count: int, folder: Path) -> list[Visit]:
    """Let so many visitors come at the same moment."""
    with ThreadPoolExecutor(count) as visitors:
        return list(visitors.map(lambda number: visit(address, number, folder), range(count)))
