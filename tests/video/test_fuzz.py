"""The fuzz lane itself works: a few of its cases, always the same ones."""

from __future__ import annotations

import numpy as np

from tests.fuzz.__main__ import Worker, run
from tests.fuzz.seeds import damaged


def test_damaged_files_give_clips_or_refusals(tmp_path):
    counts, findings = run(60, 0, tmp_path, most=60)
    assert findings == [] and set(counts) == {"clip", "refused"} and sum(counts.values()) == 60


def test_a_fault_would_be_found(tmp_path, monkeypatch):
    monkeypatch.setattr(Worker, "outcome", lambda self, path: {"outcome": "crashed" if "case" in path.name else "clip"})
    counts, findings = run(60, 0, tmp_path / "kept", most=3)
    assert counts == {"crashed": 3} and [number for number, _ in findings] == [0, 1, 2]
    assert len(list((tmp_path / "kept").iterdir())) == 3


def test_a_number_names_the_same_damage_again():
    data = bytes(range(256)) * 20
    assert damaged(data, np.random.default_rng(7)) == damaged(data, np.random.default_rng(7)) != data
