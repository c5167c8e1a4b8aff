"""The catalogue: which way is better, what a figure needs, and that nothing is made up where a need is not met."""

from __future__ import annotations

import numpy as np
import pytest

from mgld.metrics.catalogue import METRICS, Better, Evidence, Need
from mgld.metrics.naturalness import Pristine, Regressor

TWO_PAIRS = [2.0, 6.0]


@pytest.fixture
def clip() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 245, (3, 24, 32, 3), np.uint8)


@pytest.mark.parametrize(
    ("better", "best"), [(Better.HIGHER, 3.0), (Better.LOWER, 0.5), (Better.NEAREST_ONE, 1.2)], ids=lambda x: str(x)
)
def test_the_best_value_is_the_least_bad(better, best):
    metric = next(m for m in METRICS.values() if m.better is better)
    assert min([0.5, 1.2, 3.0], key=metric.badness) == best


def test_names_are_told_apart():
    assert len({m.heading for m in METRICS.values()}) == len(METRICS)


def test_a_figure_is_measured_from_what_it_needs(clip):
    seen = Evidence(clip, TWO_PAIRS, clip + 10, borders=(2,), sharp_u8=clip)
    assert seen.given == {Need.TRUTH, Need.MOTION, Need.BORDERS}
    found = {key: METRICS[key].of(seen) for key in ("psnr", "we", "we_border_ratio", "sharpness_ratio")}
    assert found == pytest.approx({"psnr": 20 * np.log10(25.5), "we": 4, "we_border_ratio": 3, "sharpness_ratio": 1})


@pytest.mark.parametrize("key", [key for key, metric in METRICS.items() if metric.needs or metric.load])
def test_a_figure_is_unknown_without_its_needs(clip, key):
    assert METRICS[key].of(Evidence(clip, [])) is None


def test_the_excess_over_the_truth_is_unknown_where_no_pixel_stays_in_sight(clip):
    seen = [Evidence(clip, pairs, clip, truth_errors=[1.0, 3.0]) for pairs in (TWO_PAIRS, [np.nan, np.nan])]
    assert [METRICS["we_excess"].of(evidence) for evidence in seen] == [2.0, None]


def test_the_infinite_psnr_of_equal_clips_is_unknown(clip):
    assert METRICS["psnr"].of(Evidence(clip, [], clip)) is None


def test_flat_frames_have_the_figures_that_can_be_told(clip):
    black = np.zeros((3, 96, 192, 3), np.uint8)
    ones = np.ones(36)
    models = {
        "niqe": Pristine(ones, np.eye(36)),
        "brisque": Regressor(ones[None], ones[:1], 0 * ones, ones, ones[:1], ones[:1]),
    }
    seen = Evidence(black, [0.0, 0.0], black, (1,), black, [0.0, 0.0])
    found = {key: metric.of(seen, models.get(key)) for key, metric in METRICS.items()}
    assert {key: value for key, value in found.items() if value is not None} == {
        "ssim": 1, "we": 0, "we_excess": 0, "sharpness": 0,
    }  # fmt: skip


def test_a_metric_that_loads_numbers_says_how_to_get_them():
    assert all((m.weights is None) == (m.load is None) for m in METRICS.values())
    assert all("python -m mgld convert" in m.weights.how for m in METRICS.values() if m.weights)
