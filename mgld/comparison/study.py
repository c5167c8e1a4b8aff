"""Blind A/B: the paper's user study on the visitor's own clip; the votes stay in the session."""

from __future__ import annotations

import csv
import math
import random
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mgld.comparison.layers import label_of

LEFT, TIE, RIGHT = "left", "tie", "right"
GAP_PX = 8
PART = 0.6  # share of each side that a trial shows: every vote is about another place
CONFIDENCE_Z = 1.959964  # 95 %
NONE = "No votes yet."
TALLY = (
    "**{name}** was preferred in {wins} of {decided} decided votes: {share:.0%}, 95 % interval {low:.0%} to {high:.0%}; "
    "{ties} without difference. {verdict}"
)
OPEN = "One half lies inside the interval: no preference is shown yet."
CLEAR = "One half lies outside the interval: that is a preference."


@dataclass(frozen=True)
class Trial:
    """One question: which layer stands left and right, and which part of the frame is shown (left, top, as shares)."""

    left: str
    right: str
    x: float
    y: float


@dataclass(frozen=True)
class Vote:
    """One answer."""

    trial: Trial
    choice: str

    @property
    def preferred(self) -> str | None:
        return {LEFT: self.trial.left, RIGHT: self.trial.right, TIE: None}[self.choice]


@dataclass(frozen=True)
class Study:
    """A session's votes on one pair of layers, and the question that is open; every change makes a new one."""

    pair: tuple[str, str]
    seed: int
    votes: tuple[Vote, ...] = field(default=())

    @property
    def trial(self) -> Trial:
        """Return the open question; it follows from the seed and the number of votes alone."""
        draw = random.Random(f"{self.seed}/{len(self.votes)}")
        left, right = draw.sample(self.pair, 2)
        return Trial(left, right, draw.uniform(0, 1 - PART), draw.uniform(0, 1 - PART))

    def voted(self, choice: str) -> Study:
        """Return the study after an answer to the open question."""
        return replace(self, votes=(*self.votes, Vote(self.trial, choice)))


def clip_of(trial: Trial, layers: dict[str, np.ndarray]) -> np.ndarray:
    """Return u8 [T,H,2W+gap,3]: both sides of a trial, unlabelled, with a grey gap between them."""
    sides = [_part(layers[name], trial) for name in (trial.left, trial.right)]
    gap = np.full((*sides[0].shape[:2], GAP_PX, 3), 128, np.uint8)
    return np.concatenate([sides[0], gap, sides[1]], axis=2)


def tally(study: Study) -> str:
    """Say how the votes stand, with the 95 % interval of the share (Wilson), which is wide while votes are few."""
    if not study.votes:
        return NONE
    decided = [v for v in study.votes if v.preferred]
    name = study.pair[1]
    wins = sum(v.preferred == name for v in decided)
    low, high = wilson(wins, len(decided))
    return TALLY.format(
        name=label_of(name), wins=wins, decided=len(decided), share=wins / max(len(decided), 1), low=low, high=high,
        ties=len(study.votes) - len(decided), verdict=OPEN if low <= 0.5 <= high else CLEAR,
    )  # fmt: skip


def wilson(wins: int, count: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a binomial share (Wilson 1927); (0, 1) without votes."""
    if count == 0:
        return 0.0, 1.0
    share, z2 = wins / count, CONFIDENCE_Z**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = CONFIDENCE_Z / (1 + z2 / count) * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def write_csv(path: Path, study: Study) -> Path:
    """Write one line per vote."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["trial", "left", "right", "part_x", "part_y", "choice", "preferred"])
        for number, vote in enumerate(study.votes, 1):
            t = vote.trial
            table.writerow([number, t.left, t.right, f"{t.x:.3f}", f"{t.y:.3f}", vote.choice, vote.preferred or ""])
    return path


def _part(frames: np.ndarray, trial: Trial) -> np.ndarray:
    height, width = frames.shape[1:3]
    h, w = max(int(height * PART) // 2 * 2, 2), max(int(width * PART) // 2 * 2, 2)
    top, left = min(int(trial.y * height), height - h), min(int(trial.x * width), width - w)
    return frames[:, top : top + h, left : left + w]
