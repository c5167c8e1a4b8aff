"""The dial on the smallest networks: every way is run once and measured; the front is what nothing beats."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from mgld import plots
from mgld.comparison import dial
from mgld.comparison.dial import Point
from mgld.errors import UserError
from mgld.settings import Settings

QUICK = Settings(segment=3, overlap=1, guidance=0.0, scenes="ignored")
POINTS = [Point("ddpm", 2, 0.2, 0.30, 5.0), Point("ddpm", 8, 0.8, 0.10, 4.0), Point("ddim", 8, 0.9, 0.20, 3.0)]


def test_every_way_is_a_recipe_and_the_first_is_what_others_are_held_against():
    recipes = dial.recipes_of(QUICK, (4, 50))
    assert next(iter(recipes)) == ("ddpm", 50)
    lines = {line for line, _ in recipes}
    assert {"ddim", "dpm++", "ddpm from t = 600", "ddpm, DeepCache N = 2", "ddpm, DeepCache N = 3"} <= lines
    assert recipes["ddpm from t = 600", 4].first_timestep == 600 and recipes["ddpm, DeepCache N = 3", 8].deepcache == 3


def test_points_are_measured_against_the_result_of_most_steps(pipeline, clip_u8):
    recipes = {("ddpm", n): Settings(**{**vars(QUICK), "steps": n}) for n in (4, 1)}

    def against(reference):
        return lambda large: (float(np.abs(large.astype(float) - reference).mean()), 0.0, None)

    most, one = dial.points_of(pipeline, clip_u8[:3], recipes, against)
    assert (most.steps, most.lpips, one.steps) == (4, 0.0, 1) and one.lpips > 0
    assert most.seconds > one.seconds > 0


def test_the_front_is_what_no_other_beats_in_time_and_figure():
    assert dial.front(POINTS, "lpips") == POINTS[:2] and dial.front(POINTS, "we") == POINTS
    slower = Point("dpm++", 8, 0.9, 0.30, 5.0)
    assert slower not in dial.front([*POINTS, slower], "lpips")


def test_numbers_table_and_plot_tell_the_front(tmp_path):
    dial.write_csv(tmp_path / "dial.csv", POINTS)
    with (tmp_path / "dial.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["front_lpips"] for row in rows] == ["", "", "", "1", "1", "0"] and rows[0]["lpips_truth"] == ""
    assert dial.read_csv(tmp_path / "dial.csv") == POINTS
    assert dial.as_markdown(POINTS).splitlines()[-1] == "| ddim | 8 | 0.900 | 0.2000 | 3.0000 ● |"
    fronts = {name: dial.front(POINTS, name) for name in dial.figures_of(POINTS)}
    assert list(fronts) == ["lpips", "we"]  # without a truth there is no LPIPS to it
    assert plots.dial(POINTS, fronts, dial.HEADINGS).startswith(b"\x89PNG")


@pytest.mark.parametrize("counts", [(0, 4), (1001,)])
def test_numbers_of_steps_that_cannot_be_are_refused(counts):
    with pytest.raises(UserError, match="Steps"):
        dial.recipes_of(QUICK, counts)


def test_clips_are_averaged_and_measured_one_after_the_other(tmp_path):
    a = [replace(p, clip="a", lpips_truth=0.5) for p in POINTS]
    b = [replace(p, clip="b", seconds=2 * p.seconds, lpips=p.lpips + 0.1, lpips_truth=0.7) for p in POINTS[:2]]
    means = dial.means_of([*a, *b])
    assert [(p.line, p.steps, p.clip) for p in means] == [("ddpm", 2, "mean"), ("ddpm", 8, "mean")]  # what both have
    assert means[0].seconds == pytest.approx(0.3) and means[0].lpips == pytest.approx(0.35)
    assert means[0].lpips_truth == pytest.approx(0.6)
    dial.write_csv(tmp_path / "dial.csv", [*a, *b])
    assert dial.read_csv(tmp_path / "dial.csv", without=["b"]) == a


def test_the_presets_are_held_against_the_front():
    points = [Point("ddpm", 2, 0.2, 0.30, 5.0), Point("ddim", 2, 0.21, 0.25, 5.5), Point("dpm++", 2, 0.3, 0.1, 1.0)]
    told = dial.presets_told(points)
    assert (
        told
        == "Balanced (ddpm, 2 steps) above the front: LPIPS to most steps 0.0500, warping error (grey levels) ↓ 0.0000"
    )
