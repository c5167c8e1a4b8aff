"""From frames to the comparison: the table, the curves, and where the flicker maps lie in the stage's video."""

from __future__ import annotations

import numpy as np
import pytest

from mgld.comparison import figures
from mgld.comparison.grid import Heat, plan_grid, stack_layers
from mgld.metrics.catalogue import METRICS
from mgld.metrics.temporal import Backward
from mgld.video import read_frames


@pytest.fixture
def layers() -> dict[str, np.ndarray]:
    """A still texture: as the truth, with a flicker of ±8, and with one of ±2."""
    import cv2

    still = cv2.GaussianBlur(np.random.default_rng(0).integers(60, 196, (64, 96, 3), np.uint8), (0, 0), 1.5)
    sign = np.array([1, -1, 1, -1])[:, None, None, None]
    shaken = {"per_frame": 8, "mgld": 2, "truth": 0}
    return {name: (still[None].astype(int) + sign * by).astype(np.uint8) for name, by in shaken.items()}


def test_the_steadier_result_is_marked_and_the_truth_does_not_compete(tmp_path, layers):
    table = figures.measure(layers, (2,), "dis")
    assert table.rows["per_frame"]["we"] == pytest.approx(16, abs=0.5)
    assert table.rows["mgld"]["we"] == pytest.approx(4, abs=0.5)
    assert f"| MGLD | **{table.rows['mgld']['we']:.3f}** |" in figures.as_markdown(table)
    columns = {column.key: column for column in figures.table_of(table)}
    assert columns["we"].best == [False, True, False] and columns["we"].texts[1] == f"{table.rows['mgld']['we']:.3f}"
    assert table.rows["truth"]["psnr"] is None and table.rows["mgld"]["psnr"] > table.rows["per_frame"]["psnr"]
    assert table.rows["mgld"]["we_border_ratio"] == pytest.approx(1, abs=0.1)
    assert figures.write_stage(tmp_path / "stage.mp4", layers, 10, table).pair == (0, 1) and table.borders == (2,)


def test_rows_and_curves_are_keyed_by_layer_and_metric_and_named_when_drawn(tmp_path, layers):
    table = figures.measure(layers, (2,), "dis")
    stage = figures.write_stage(tmp_path / "stage.mp4", layers, 10, table)
    assert {name: set(curves) for name, curves in table.curves.items()} == dict.fromkeys(layers, {"we", "sharpness"})
    assert all(set(row) == set(figures.COLUMNS) for row in table.rows.values())
    assert [curve.name for curve in stage.curves] == [METRICS["we"].heading, METRICS["sharpness"].heading]
    assert figures.titled(table.curves)[METRICS["we"].heading]["MGLD"] == table.curves["mgld"]["we"]


def test_the_map_of_the_shakier_layer_is_brighter_in_the_same_frame(tmp_path, layers):
    stage = figures.write_stage(tmp_path / "stage.mp4", layers, 10, figures.measure(layers, (), "dis"))
    sheets = [f.rgb_u8 for f in read_frames(tmp_path / "stage.mp4")]
    assert len(sheets) == 4 and stage.residual.top == pytest.approx(16, abs=1)
    parts = [[sheet[y : y + h, x : x + w].mean() for x, y, w, h in stage.residual.places] for sheet in sheets]
    for shaky, steady, truth in parts[1:]:
        assert shaky > steady + 20 > truth + 20
    assert np.ptp(parts[0]) < 3  # the first frame has nothing to be compared with


def test_what_cannot_be_judged_stays_unknown():
    clip = np.zeros((2, 8, 8, 3), np.uint8)
    visible = np.zeros((1, 1, 8, 8), bool)
    visible[..., :4] = True
    import torch

    errors, maps = figures.flicker_of(clip, Backward(torch.zeros(1, 2, 8, 8), torch.from_numpy(visible)))
    assert errors == [0.0]
    assert np.isnan(maps[0]).all() and (maps[1, :, :2] == 0).all() and np.isnan(maps[1, :, 2:]).all()


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6])
def test_maps_lie_beside_the_pictures_and_never_on_them(tmp_path, count):
    layers = {f"{i}": np.full((2, 30, 46, 3), 40 * i, np.uint8) for i in range(count)}
    maps = {f"{i}": np.full((2, 15, 23, 3), 255, np.uint8) for i in range(count)}
    stage = stack_layers(tmp_path / "stage.mp4", layers, 10, heat=Heat(maps, 8.0))
    sheet = next(iter(read_frames(tmp_path / "stage.mp4"))).rgb_u8
    for i in range(count):
        x, y = i % stage.columns * stage.width, i // stage.columns * stage.height
        assert abs(sheet[y + 4 : y + stage.height - 4, x + 4 : x + stage.width - 4].mean() - 40 * i) < 3
        x, y, w, h = stage.residual.places[i]
        assert sheet[y + 3 : y + h - 3, x + 3 : x + w - 3].min() > 245


def test_grids_stay_within_what_browsers_decode():
    assert plan_grid(4, 1024, 1024) == (2, 1024, 1024)
    columns, height, width = plan_grid(8, 2160, 3840)
    assert columns * width <= 4096 and height % 2 == width % 2 == 0


@pytest.mark.parametrize(("count", "pair"), [(1, (0, 0)), (2, (0, 1)), (3, (1, 2)), (4, (1, 3))])
def test_two_different_layers_are_compared_first(tmp_path, count, pair):
    layers = {f"Layer {i}": np.zeros((2, 16, 16, 3), np.uint8) for i in range(count)}
    assert stack_layers(tmp_path / "stage.mp4", layers, 10).pair == pair


def test_one_frame_cannot_flicker(tmp_path, layers):
    alone = {name: frames[:1] for name, frames in layers.items()}
    figures_ = figures.measure(alone, (), "dis")
    assert "One frame cannot flicker" in figures.as_markdown(figures_)
    stage = figures.write_stage(tmp_path / "stage.mp4", alone, 10, figures_)
    assert stage.curves == [] and stage.residual is None
