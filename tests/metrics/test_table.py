"""Tables: arrows, the best in bold, means that do not hide a gap, and no figure that the catalogue does not know."""

from __future__ import annotations

import pytest

from mgld.metrics.catalogue import METRICS
from mgld.metrics.table import BESIDE_FIGURES, columns, markdown, mean_rows


def row(**known: float) -> dict[str, float | None]:
    return dict.fromkeys(METRICS) | known


def test_best_is_bold_in_the_direction_of_the_metric():
    told = markdown({"a": row(psnr=30, we=4, sharpness_ratio=1.2), "b": row(psnr=20, we=3, sharpness_ratio=0.9)})
    assert told.splitlines() == [
        "| method | PSNR (dB) ↑ | warping error (grey levels) ↓ | sharpness ratio →1 |",
        "| --- | ---: | ---: | ---: |",
        "| a | **30.00** | 4.000 | 1.200 |",
        "| b | 20.00 | **3.000** | **0.900** |",
    ]


def test_a_gap_in_one_clip_is_a_gap_in_the_mean():
    mean = mean_rows([{"a": row(psnr=30, we=4)}, {"a": row(psnr=20)}])
    assert mean["a"]["psnr"] == 25 and mean["a"]["we"] is None


def test_equal_to_the_eye_is_equally_good():
    told = markdown({"a": row(psnr=30.001), "b": row(psnr=30.002), "c": row()})
    assert told.count("**30.00**") == 2 and "| c | – |" in told


def test_what_is_no_result_does_not_compete():
    told = markdown({"input": row(psnr=40), "a": row(psnr=30), "b": row(psnr=20)}, unranked=("input",))
    assert "| input | 40.00 |" in told and "| a | **30.00** |" in told


@pytest.mark.parametrize("key", METRICS)
def test_every_metric_is_printed_with_its_arrow_unit_and_decimals(key):
    metric = METRICS[key]
    head, _, cells = markdown({"a": row(**{key: 1.23456789})}).splitlines()
    heading = head.split(" | ")[1].removesuffix(" |")
    assert heading.startswith(metric.label) and heading.endswith((" ↑", " ↓", " →1", " →0")) and metric.unit in heading
    assert cells == f"| a | {round(1.23456789, metric.decimals)} |"


def test_a_figure_that_the_catalogue_does_not_know_is_refused():
    with pytest.raises(KeyError, match="warping error"):
        markdown({"a": row(psnr=30) | {"warping error": 4.0}})


def test_what_a_report_says_beside_the_figures_is_no_column():
    assert [m.key for m in columns({"a": row(psnr=30) | dict.fromkeys(BESIDE_FIGURES, 1)})] == ["psnr"]


def test_nothing_is_marked_where_the_input_beats_every_result():
    rows = {"input": row(we=1, psnr=20), "a": row(we=3, psnr=30), "b": row(we=4, psnr=25)}
    told = markdown(rows, rivals=("input",))
    assert "**3.000**" not in told and "**1.000**" not in told and "**30.00**" in told
