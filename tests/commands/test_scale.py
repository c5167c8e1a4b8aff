"""`benchmark --scale`: both schedules of work do the same maths, and the report says what was measured and what was left out."""

from __future__ import annotations

import argparse
import json

import pytest
import torch

from mgld.__main__ import main
from mgld.commands import published_work, scale, scale_run
from mgld.commands.benchmark import SCALES, Scale, panned_noise
from mgld.commands.published_work import StackedTemporalConv, published_of
from mgld.compat import settings_as
from mgld.flow import load_flow
from mgld.nets.layers import TemporalConv
from mgld.stages import motion
from tests.small import small_structure_encoder, small_unet, small_vae

pytestmark = pytest.mark.slow


@pytest.fixture
def small_paper(monkeypatch) -> None:
    """Make the paper's scale small: the same parts on a few pixels."""
    nets = {"vae": small_vae, "unet": small_unet, "structure_encoder": small_structure_encoder}
    shapes = {name: {k: v for k, v in make().config.items() if not k.startswith("_")} for name, make in nets.items()}
    monkeypatch.setattr(published_work, "SD21", published_work.SD21 | shapes)
    monkeypatch.setitem(SCALES, "paper", Scale("sd21", 3, 16, (2,), "dis"))
    monkeypatch.setitem(SCALES, "step", Scale("sd21", 1, 16, (), "dis"))


@torch.no_grad()
def test_a_stacked_temporal_convolution_is_ours():
    torch.manual_seed(0)
    layer, x = TemporalConv(6), torch.randn(6, 6, 4, 3)
    layer.temporal_alpha.fill_(0.3)
    torch.testing.assert_close(StackedTemporalConv(layer)(x, 3), layer(x, 3), atol=1e-5, rtol=0)


def test_both_sides_run_what_the_published_scripts_set():
    assert scale.settings_of(SCALES["paper"], 50) == settings_as("published")
    assert scale.settings_of(SCALES["step"], 1) == settings_as("published", given={"steps": 1, "flow": "dis"})


def test_the_published_schedule_gives_the_same_frames(pipeline, clip_u8):
    wanted = scale.settings_of(SCALES["tiny"], 2)
    ours = scale.whole_run(pipeline, clip_u8[:5], wanted)
    theirs = scale.whole_run(published_of(pipeline), clip_u8[:5], wanted)
    assert scale.apart(ours["u8"], theirs["u8"])["largest"] <= 1
    assert {"condition", "motion", "sample", "decode"} <= set(theirs["stages"])


def test_the_report_tells_both_schedules_their_rates_and_how_far_they_are_apart(small_paper, tmp_path, capsys):
    report = tmp_path / "report.json"
    assert main(["benchmark", "--scale", "paper", "--device", "cpu", "--out", str(report)]) == 0
    told = json.loads(report.read_text())
    assert told["weights"] == "random" and set(told["parts_s"]) == {"published", "ours"} and not told["left_out"]
    assert set(told["operations"]) == {"denoise", "encode", "decode"} and min(told["operations"].values()) > 1e6
    run = told["runs"]["2"]
    assert run["published"]["seconds_per_frame"] > 0 and run["levels_apart"]["largest"] < 20
    table = capsys.readouterr().out
    assert "| published |" in table and "| ours |" in table and "ratio" in table


def test_a_step_of_sd21_alone_can_be_measured(small_paper, capsys):
    assert main(["benchmark", "--scale", "step", "--device", "cpu"]) == 0
    table = capsys.readouterr().out
    assert "| ours |" in table and "denoise TFLOP/s" in table and "s/frame" not in table


def test_what_no_time_is_left_for_is_named(small_paper, tmp_path, capsys):
    report = tmp_path / "report.json"
    arguments = ["benchmark", "--scale", "paper", "--device", "cpu", "--out", str(report), "--time-limit", "0"]
    assert main(arguments) == 0
    assert "left out for want of time: matrix product, operations, published, ours, 2 steps" in capsys.readouterr().out


def test_a_part_that_fails_is_named_and_costs_the_others_nothing(small_paper, tmp_path, capsys, monkeypatch):
    def broken(pipeline, wanted):
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(scale, "count_operations", broken)
    monkeypatch.setattr(scale, "apart", lambda a, b: {"largest": float("nan"), "mean": 0.0, "share_over_1": 0.0})
    report = tmp_path / "report.json"
    assert main(["benchmark", "--scale", "paper", "--device", "cpu", "--out", str(report)]) == 1
    told, said = json.loads(report.read_text()), capsys.readouterr()
    assert told["failed"] == {"operations": "RuntimeError: no such kernel"} and "failed: operations" in said.err
    assert "FAILED operations: RuntimeError: no such kernel" in said.out and "| ours |" in said.out
    assert set(told["parts_s"]["ours"]) == {"denoise", "encode", "decode", "flow", "guide"}
    assert told["runs"]["2"]["levels_apart"]["largest"] == "NaN"  # which JSON has no number for


def test_the_summary_tells_each_figure_by_its_name(small_paper, tmp_path):
    report = tmp_path / "report.json"
    assert main(["benchmark", "--scale", "paper", "--device", "cpu", "--out", str(report)]) == 0
    told = json.loads(report.read_text())
    summary, parts = told["summary"], told["parts_s"]
    assert summary["encode_ms_per_frame"]["ours"] == pytest.approx(1000 * parts["ours"]["encode"] / 3, abs=1e-3)
    assert summary["step_ms"]["published"] == pytest.approx(1000 * parts["published"]["denoise"], abs=1e-3)
    assert summary["share_of_matmul"]["ours"]["decode"] > 0 and summary["load_s"] > 0
    run = summary["runs"]["2"]
    assert run["ratio"] == pytest.approx(run["published_s_per_frame"] / run["ours_s_per_frame"], rel=0.05)


def test_the_published_schedule_sees_pairs_one_by_one_in_whole_runs_too(small_paper, monkeypatch):
    seen = []
    network = load_flow("dis", "cpu")
    monkeypatch.setattr(motion, "load_flow", lambda *_, **__: lambda a, b: seen.append(len(a)) or network(a, b))
    chosen = argparse.Namespace(device="cpu", scale="paper", time_limit=60, json=None)
    bench = scale_run.Bench(chosen, SCALES["paper"])
    for pipeline, pairs in ((bench.ours, [8]), (bench.published, [1] * 8)):
        seen.clear()
        scale.whole_run(pipeline, panned_noise(5, 16), scale.settings_of(bench.wanted, 1))
        assert seen == pairs


def test_the_paper_on_a_cpu_is_refused_in_one_sentence(capsys):
    assert main(["benchmark", "--scale", "paper", "--device", "cpu"]) == 1
    assert "--scale step" in capsys.readouterr().err
