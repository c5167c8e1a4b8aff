"""`evaluate` and `ablate`: numbers for methods and given results, and one sentence on clips that do not fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mgld import host, settings
from mgld.__main__ import main
from mgld.canvas import bicubic
from mgld.commands import evaluate
from mgld.nets.esrgan import SRVGG
from mgld.sharing import sampled_as
from mgld.video import VideoWriter, read_frames


@pytest.fixture(autouse=True)
def no_weights(tmp_path, monkeypatch):
    """Measure without LPIPS, DISTS, NIQE and BRISQUE: quick, and the same on every machine."""
    monkeypatch.setattr(host, "CACHE", tmp_path / "cache")


@pytest.fixture
def clips(tmp_path) -> Path:
    """Make lq/, gt/ and elsewhere/ with two clips of 4 and 3 frames; elsewhere holds the truth, darkened by 10."""
    rng = np.random.default_rng(0)
    for name, count in (("one", 4), ("two", 3)):
        wide = rng.integers(0, 226, (20, 40, 3), np.uint8)
        lq = np.stack([wide[:, i : i + 24] for i in range(count)])
        truth = np.clip(bicubic(lq).astype(int) + 10, 10, 255).astype(np.uint8)
        store(tmp_path / "lq" / name, lq)
        store(tmp_path / "gt" / name, truth)
        store(tmp_path / "elsewhere" / name, truth - 10)
    return tmp_path


def store(folder: Path, frames_u8: np.ndarray) -> None:
    folder.parent.mkdir(exist_ok=True)
    with VideoWriter(folder, 25) as writer:
        for i, frame in enumerate(frames_u8):
            writer.write(frame, i / 25)


def run(clips: Path, *more: str) -> int:
    return main(
        ["evaluate", "--lq", str(clips / "lq"), "--json", str(clips / "out.json"), "--metric-flow", "spynet", *more]
    )


def test_methods_and_results_are_measured(clips, capsys):
    code = run(clips, "--gt", str(clips / "gt"), "--methods", "bicubic", "--results", f"Dark={clips / 'elsewhere'}")
    assert code == 0
    report = json.loads((clips / "out.json").read_text())
    assert list(report["clips"]) == ["one", "two"] and report["metric_flow"] == "spynet"
    dark = report["clips"]["one"]["methods"]["Dark"]
    assert dark["psnr"] == pytest.approx(20 * np.log10(25.5), abs=1e-6) and len(dark["we_pairs"]) == 3
    assert dark["lpips"] is None and "convert perceptual" in report["missing"]["lpips"]
    assert dark["sharpness_ratio"] == pytest.approx(1)
    assert report["mean"]["Dark"]["psnr"] == pytest.approx(dark["psnr"])
    told = capsys.readouterr()
    assert told.out.endswith("Warping error: along the motion that SPyNet measures.\n")
    assert "| Dark |" in told.out and "Mean of 2 clips" in told.out and "LPIPS" not in told.out
    assert "note: no lpips" in told.err


def test_a_checkpoint_of_the_esrgan_family_is_measured_beside_the_methods(clips, capsys):
    torch.manual_seed(0)
    save_file(SRVGG(1, 8).state_dict(), clips / "small.safetensors")
    peer = f"esrgan:{clips / 'small.safetensors'}"
    assert run(clips, "--gt", str(clips / "gt"), "--methods", "bicubic", peer, "--frames", "2", "--device", "cpu") == 0
    report = json.loads((clips / "out.json").read_text())
    assert "Mean of 2 clips\n" in capsys.readouterr().out
    assert list(report["mean"]) == ["bicubic", "small"] and list(report["settings"]) == ["bicubic"]
    assert report["mean"]["small"]["psnr"] != report["mean"]["bicubic"]["psnr"]
    assert run(clips, "--methods", "esrgan:absent.pth") == 1
    assert "There is no ESRGAN checkpoint at absent.pth. Name a 4×" in capsys.readouterr().err
    assert run(clips, "--methods", peer, "--results", f"small={clips / 'elsewhere'}") == 1
    with pytest.raises(SystemExit):
        run(clips, "--methods", "esrgan:")


def test_the_clip_that_was_degraded_is_cut_as_degrade_cut_it(clips, capsys):
    for name in ("one", "two"):
        truth = [np.pad(f.rgb_u8, ((0, 7), (0, 2), (0, 0))) for f in read_frames(clips / "gt" / name)]
        store(clips / "whole" / name, truth)
    fitting = ["--methods", "bicubic", "--results", f"Dark={clips / 'elsewhere'}", "--frames", "2"]
    assert run(clips, "--gt", str(clips / "whole"), *fitting) == 0
    assert "note: two: the ground truth of 98×87 is cut to 96×80" in capsys.readouterr().err
    dark = json.loads((clips / "out.json").read_text())["mean"]["Dark"]
    assert dark["psnr"] == pytest.approx(20 * np.log10(25.5), abs=1e-6)
    assert (
        run(clips, "--methods", "bicubic", "--results", f"Whole={clips / 'whole'}") == 1
    )  # results have no border to lose


@pytest.mark.slow
def test_without_truth_only_what_needs_none_is_measured(clips):
    assert run(clips, "--methods", "bicubic", "--results", f"Dark={clips / 'elsewhere'}", "--frames", "2") == 0
    report = json.loads((clips / "out.json").read_text())
    row = report["clips"]["one"]["methods"]["bicubic"]
    assert row["psnr"] is None and row["we"] > 0 and row["sharpness_ratio"] == 1
    assert len(row["we_pairs"]) == 1


@pytest.mark.slow
def test_ablation_runs_all_four_from_the_same_noise(clips, pipeline, monkeypatch, capsys):
    monkeypatch.setattr(evaluate, "open_pipeline", lambda chosen: pipeline)
    arguments = ["--steps", "2", "--segment", "3", "--overlap", "1", "--json", str(clips / "out.json")]
    one = ["--lq", str(clips / "lq" / "one"), "--gt", str(clips / "gt" / "one"), "--metric-flow", "spynet"]
    assert main(["ablate", *one, *arguments]) == 0
    report = json.loads((clips / "out.json").read_text())
    methods = report["clips"]["one"]["methods"]
    assert list(methods) == ["per_frame", "per_frame+mds", "per_frame+tsd", "mgld"]
    assert len({m["psnr"] for m in methods.values()}) == 4
    assert methods["mgld"]["segment_borders"] == [2] and methods["mgld"]["we_border_ratio"] > 0
    told = capsys.readouterr().out
    assert "| ✓ | ✓ |" in told and "Mean of 1 clip\n" in told and "motion that SPyNet measures" in told


@pytest.mark.slow
def test_sweep_measures_every_mode_and_strength_once(clips, pipeline, monkeypatch, capsys):
    monkeypatch.setattr(evaluate, "open_pipeline", lambda chosen: pipeline)
    arguments = ["--lq", str(clips / "lq" / "one"), "--metric-flow", "spynet", "--json", str(clips / "out.json")]
    arguments += ["--steps", "2", "--segment", "3", "--overlap", "1"]
    assert main(["sweep", *arguments, "--modes", "corrected", "paper", "--strengths", "0", "0.5"]) == 0
    report = json.loads((clips / "out.json").read_text())
    rows = report["clips"]["one"]["methods"]
    assert list(rows) == ["per_frame", "no guidance", "corrected 0.5", "paper 0.5"]
    assert report["settings"]["paper 0.5"]["guidance_mode"] == "paper"
    assert rows["no guidance"]["sharpness"] != rows["corrected 0.5"]["sharpness"] != rows["paper 0.5"]["sharpness"]
    assert "| corrected 0.5 |" in capsys.readouterr().out


def test_recipes_share_latents_only_if_they_sample_alike():
    base = settings.Settings()
    alike = [settings.Settings(method="per_frame+mds"), settings.Settings(cfw=0.5), settings.Settings(colour="none")]
    assert {sampled_as(wanted) for wanted in alike} == {sampled_as(base)}
    unlike = [
        settings.Settings(method="per_frame"),
        settings.Settings(guidance=0.5),
        settings.Settings(steps=base.steps + 1),
    ]
    assert sampled_as(base) not in {sampled_as(wanted) for wanted in unlike}


@pytest.mark.slow
def test_kept_latents_change_nothing(pipeline, clip_u8):
    wanted = settings.Settings(steps=2, segment=3, overlap=1)
    fresh, _ = evaluate.upscaled(pipeline, clip_u8, wanted, {})
    kept: dict = {}
    evaluate.upscaled(pipeline, clip_u8, settings.Settings(method="per_frame+mds", steps=2, segment=3, overlap=1), kept)
    shared, _ = evaluate.upscaled(pipeline, clip_u8, wanted, kept)
    assert kept and np.array_equal(fresh, shared)


def fewer(clips: Path) -> list[str]:
    (clips / "gt" / "two" / sorted(p.name for p in (clips / "gt" / "two").iterdir())[0]).unlink()
    return ["--gt", str(clips / "gt")]


def smaller(clips: Path) -> list[str]:
    return ["--gt", str(clips / "lq")]


def unmatched(clips: Path) -> list[str]:
    (clips / "gt" / "two").rename(clips / "gt" / "three")
    return ["--gt", str(clips / "gt")]


def unnamed(clips: Path) -> list[str]:
    return ["--results", str(clips / "elsewhere")]


def own_judge(clips: Path) -> list[str]:
    return ["--methods", "mgld", "--flow", "spynet"]


def empty(clips: Path) -> list[str]:
    (clips / "none").mkdir()
    return ["--gt", str(clips / "none")]


def nameless(clips: Path) -> list[str]:
    return ["--methods"]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (nameless, "There is nothing to measure"),
        (fewer, "The ground truth of 'two' has 2 frames, but the low-quality clip has 3."),
        (smaller, "The ground truth of 'one' is 24×20, but four times the low-quality clip is 96×80."),
        (unmatched, "There is no clip named 'two'"),
        (unnamed, "NAME=FOLDER"),
        (own_judge, "follow the flow network 'spynet'"),
        (empty, "There is no clip in"),
    ],
)
def test_clips_that_do_not_fit_are_one_plain_sentence(clips, capsys, spoil, sentence):
    methods = [] if spoil is own_judge else ["--methods", "bicubic"]
    assert run(clips, *methods, *spoil(clips)) == 1
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("mgld: ") and sentence in told
