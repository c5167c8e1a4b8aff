"""Tables: arrows, the best in bold, means that do not hide a gap."""

from __future__ import annotations

from mgld.metrics.table import COLUMNS, markdown, mean_rows


def row(**known: float) -> dict[str, float | None]:
    return dict.fromkeys(COLUMNS) | known


def test_best_is_bold_in_the_direction_of_the_metric():
    told = markdown({"a": row(psnr=30, we=4, sharpness_ratio=1.2), "b": row(psnr=20, we=3, sharpness_ratio=0.9)})
    assert told.splitlines() == [
        "| method | PSNR ↑ | WE ↓ | sharpness ratio →1 |",
        "| --- | --- | --- | --- |",
        "| a | **30.00** | 4.000 | 1.200 |",
        "| b | 20.00 | **3.000** | **0.900** |",
    ]


def test_a_gap_in_one_clip_is_a_gap_in_the_mean():
    mean = mean_rows([{"a": row(psnr=30, we=4)}, {"a": row(psnr=20)}])
    assert mean["a"]["psnr"] == 25 and mean["a"]["we"] is None


def test_equal_to_the_eye_is_equally_good():
    told = markdown({"a": row(psnr=30.001), "b": row(psnr=30.002), "c": row()})
    assert told.count("**30.00**") == 2 and "| c | – |" in told
