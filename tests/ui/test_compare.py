"""What is said over the stage is what its figures allow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mgld.comparison.stage import Column, Curve, StageVideo
from mgld.ui import words
from mgld.ui.compare import claim_of


def stage(
    flicker: tuple[float, float], sharpness: tuple[float, float] = (0.05, 0.05), keys=("per_frame", "mgld")
) -> StageVideo:
    curves = [
        Curve("we", "flicker", [[None, v, v] for v in flicker]),
        Curve("sharpness", "", [[v] * 3 for v in sharpness]),
    ]
    table = [Column("we", "flicker", 1, [f"{v}" for v in flicker], [False, True])]
    return StageVideo(1, 8, 8, 10.0, 3, list(keys), list(keys), ["#000000"] * 2, [], curves, table, (0, 1))


@pytest.mark.parametrize(
    ("guided", "said"), [(2.0, "steady"), (2.2, "less"), (2.6, "less"), (3.0, "alike"), (3.2, "more")]
)
def test_steadiness_is_claimed_as_far_as_it_goes(guided, said):
    assert claim_of(stage((3.0, guided))) == words.CLAIMS[said].format(softer="")


def test_what_is_paid_in_sharpness_is_said():
    assert claim_of(stage((3.0, 1.0), (0.05, 0.045))) == words.CLAIMS["steady"].format(softer=words.CLAIM_SOFTER)


def test_nothing_is_claimed_of_other_layers_of_one_frame_or_of_what_still_grows():
    assert claim_of(stage((3.0, 1.0), keys=("bicubic", "mgld"))) == ""
    growing = replace(stage((3.0, 1.0)), table=[])
    assert claim_of(growing) == "" and claim_of(replace(stage((3.0, 1.0)), frames=1)) == words.CLAIM_STILL
