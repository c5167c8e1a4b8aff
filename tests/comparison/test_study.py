"""Blind votes: nothing gives a side away, and the interval is the textbook's."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from mgld.comparison.study import LEFT, RIGHT, TIE, Study, clip_of, tally, wilson, write_csv

PAIR = ("per_frame", "mgld")


def voting(choices: list[str], seed: int = 1) -> Study:
    study = Study(PAIR, seed)
    for choice in choices:
        study = study.voted(choice)
    return study


@pytest.mark.parametrize(
    ("wins", "count", "low", "high"), [(5, 10, 0.2366, 0.7634), (0, 10, 0.0, 0.2775), (9, 10, 0.5958, 0.9821)]
)
def test_the_interval_is_wilsons(wins, count, low, high):
    assert wilson(wins, count) == pytest.approx((low, high), abs=1e-4)


def test_no_votes_leave_everything_open():
    assert wilson(0, 0) == (0.0, 1.0)


def test_both_sides_come_up_about_equally_and_all_over_the_frame():
    trials = [Study(PAIR, seed).trial for seed in range(200)]
    assert 70 < sum(t.left == "mgld" for t in trials) < 130
    assert min(t.x for t in trials) < 0.05 and max(t.x for t in trials) > 0.35


def test_a_question_stays_the_same_until_it_is_answered():
    study = Study(PAIR, 7)
    assert study.trial == study.trial != study.voted(TIE).trial


def test_a_trial_shows_the_named_layers_on_their_sides():
    layers = {"per_frame": np.full((2, 20, 30, 3), 50, np.uint8), "mgld": np.full((2, 20, 30, 3), 200, np.uint8)}
    trial = Study(PAIR, 3).trial
    clip = clip_of(trial, layers)
    sides = {"per_frame": 50, "mgld": 200}
    assert (clip[0, 0, 0, 0], clip[0, 0, -1, 0]) == (sides[trial.left], sides[trial.right])


def test_votes_are_counted_for_the_layer_behind_the_side(tmp_path):
    study = Study(PAIR, 5)
    for _ in range(8):
        study = study.voted(LEFT if study.trial.left == "mgld" else RIGHT)
    study = study.voted(TIE)
    told = tally(study)
    assert "8 of 8" in told and "1 without difference" in told and "that is a preference" in told
    rows = list(csv.DictReader(write_csv(tmp_path / "votes.csv", study).open()))
    assert len(rows) == 9 and {r["preferred"] for r in rows} == {"mgld", ""}


def test_few_votes_show_no_preference():
    assert "no preference" in tally(voting([LEFT, RIGHT]))
