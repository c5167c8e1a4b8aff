"""`train all`: stages in a row in one budget of time; a dry run on toy sizes from a corpus to a model that runs."""

from __future__ import annotations

import sys
import time

import cv2
import numpy as np
import pytest
import torch

from mgld.__main__ import main
from mgld.errors import UserError
from mgld.metrics import stored
from mgld.presets import TINY
from mgld.training.run import Plan, checkpoint_of
from mgld.training.sitting import FINISHED, StageShare, sit

SHAPES = """{
 "vae": {"latent_channels": 4, "channels": [16, 32], "fusion_growth": 4, "linear": false},
 "unet": {"channels": [16, 32], "attention": [false, true], "head_channels": 16, "text_channels": 8, "structure_channels": 16,
          "sft_channels": 8, "sample_size": 16, "smallest_sample": 8},
 "structure_encoder": {"channels": [16, 32], "attention": [false, true], "out_channels": 16},
 "cleaner": {"channels": 8, "blocks": 1}
}"""


def part(tmp_path, name: str, share: float, limits: list, resume: bool = False, cost_s: float = 0.0) -> StageShare:
    plan = Plan(tmp_path / name, 10, 1, resume=resume)
    plan.folder.mkdir(exist_ok=True)

    def run(limit_s: float) -> None:
        limits.append((name, limit_s))
        time.sleep(cost_s)
        torch.save({"step": int(limit_s > 0), "trained_s": 0.0}, checkpoint_of(plan))

    return StageShare(name, share, plan, run)


def test_what_a_stage_leaves_over_goes_to_those_after_it(tmp_path):
    limits: list = []
    sit([part(tmp_path, "a", 1, limits), part(tmp_path, "b", 1, limits), part(tmp_path, "c", 2, limits)], 100.0)
    assert [name for name, _ in limits] == ["a", "b", "c"]
    assert [seconds for _, seconds in limits] == pytest.approx([25, 100 / 3, 100], rel=0.01)


def test_a_stage_that_takes_longer_leaves_less(tmp_path):
    limits: list = []
    sit([part(tmp_path, "a", 1, limits, cost_s=0.3), part(tmp_path, "b", 1, limits)], 0.4)
    assert limits[1][1] == pytest.approx(0.1, abs=0.05)


def test_a_resumed_sitting_passes_over_what_is_finished(tmp_path):
    limits: list = []
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / FINISHED).touch()
    sit([part(tmp_path, "a", 1, limits, resume=True), part(tmp_path, "b", 1, limits, resume=True)], 60.0)
    assert [name for name, _ in limits] == ["b"]
    sit(
        [part(tmp_path, "a", 1, limits), part(tmp_path, "b", 1, limits)], 60.0
    )  # without --resume everything begins again
    assert [name for name, _ in limits] == ["b", "a", "b"]


def test_a_stage_for_which_no_time_was_left_is_still_to_be_done(tmp_path):
    limits: list = []
    sit([part(tmp_path, "a", 1, limits, cost_s=0.1), part(tmp_path, "b", 1, limits)], 0.05)
    sit([part(tmp_path, "a", 1, limits, resume=True), part(tmp_path, "b", 1, limits, resume=True)], 60.0)
    assert [name for name, _ in limits] == ["a", "b", "b"]


@pytest.fixture
def corpus(tmp_path):
    """Pack four photographs and a clip, all noise that was smoothed."""
    rng, folder = np.random.default_rng(0), tmp_path / "sources"
    (folder / "clip").mkdir(parents=True)
    for i in range(4):
        picture = cv2.GaussianBlur(rng.integers(0, 256, (200, 240, 3), np.uint8), (0, 0), 3)
        cv2.imwrite(str(folder / f"{'abcd'[i]}.png"), cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX))
    wide = cv2.resize(rng.integers(0, 256, (40, 60, 3), np.uint8), (480, 340))
    for i in range(8):
        cv2.imwrite(str(folder / "clip" / f"{i:02d}.png"), wide[:, 4 * i : 4 * i + 400])
    assert main(["train", "corpus", str(folder), "--out", str(tmp_path / "corpus")]) == 0
    return tmp_path / "corpus"


def test_one_command_trains_a_model_that_runs(tmp_path, corpus, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mgld.host.CACHE", tmp_path / "cache")
    monkeypatch.setitem(TINY["vae"], "canvas_gate", False)  # as a model of older days began
    (tmp_path / "shapes.json").write_text(SHAPES)
    stages = ["autoencoder", "denoiser:spatial", "distil:spatial=2", "denoiser:temporal", "distil:temporal"]
    command = [
        "train",
        "all",
        "--corpus",
        str(corpus),
        "--model",
        "toy",
        "--config",
        "shapes.json",
        "--stages",
        *stages,
    ]
    command += [
        "--steps",
        "2",
        "--batch",
        "2",
        "--size",
        "64",
        "--frames",
        "2",
        "--workers",
        "0",
        "--no-perceptual",
        "--cleaner",
        "--gate",
    ]
    command += ["--time-limit", "5", "--dtype", "float32", "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", ["mgld", *command])
    assert main(command) == 0
    from mgld.pipeline import MGLDPipeline
    from mgld.settings import Settings

    pipeline = MGLDPipeline.from_pretrained("toy", "cpu")
    assert pipeline.unet.config.channels == [16, 32] and pipeline.cleaner.config.channels == 8
    assert pipeline.vae.config.canvas_gate
    assert pipeline(np.zeros((2, 16, 16, 3), np.uint8), Settings(steps=1)).shape == (2, 64, 64, 3)
    rows = (tmp_path / "toy" / "training.md").read_text().splitlines()
    assert len(rows) == 2 + len(stages) and all("train all --corpus" in row and "| 0 | 2 |" in row for row in rows[2:])
    assert {p.name for p in (tmp_path / "runs" / "toy").iterdir()} == {
        s.partition("=")[0].replace(":", "-") for s in stages
    }


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--stages", "painter"], "--stages"),
        (["--stages", "distil"], "--stages"),
        (["--stages", "distil:spatial=0"], "--stages"),
        (["--stages", "distil:spatial=1@x"], "--stages"),
        (["--stages", "distil:spatial=1@0", "--time-limit", "1"], "--batch"),
        (["--stages", "distil:spatial", "--steps", "1", "--no-perceptual"], "no autoencoder"),
        (["--stages", "denoiser:spatial"], "--time-limit"),
        (["--time-limit", "1", "--batch", "0"], "--batch"),
        (["--time-limit", "1", "--config", "nowhere.json"], "no file"),
    ],
)
def test_what_cannot_be_trained_is_said_at_once(tmp_path, capsys, monkeypatch, wrong, said):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "all", "--corpus", str(tmp_path), "--model", str(tmp_path / "m"), *wrong]) != 0
    assert said in capsys.readouterr().err


def test_a_fresh_model_begins_with_its_autoencoder_and_batches_may_differ(tmp_path):
    from mgld.commands.train_runs import BEGINNING, SITTING, _part, _usual

    assert _usual(tmp_path) == (BEGINNING, *SITTING)
    (tmp_path / "vae").mkdir()
    (tmp_path / "vae" / "config.json").touch()
    assert _usual(tmp_path) == SITTING
    assert _part("distil:spatial=54@80") == ("distil", "spatial", 54.0, 80)
    assert _part("autoencoder") == ("autoencoder", "", 1.0, None)


@pytest.mark.parametrize(("stage", "steps"), [("all", "the stage’s own"), ("distil", "100000")])
def test_help_describes_every_number_and_its_default(capsys, stage, steps):
    with pytest.raises(SystemExit):
        main(["train", stage, "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert f"--steps N stop after this many steps (default {steps})" in told
    assert all(
        f"{name} " in told.partition("options:")[2] for name in ("--batch N clips", "--size PX side", "--seed SEED of")
    )


def test_weights_of_a_loss_are_looked_for_before_the_first_stage(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("mgld.host.CACHE", tmp_path / "cache")
    assert main(["train", "all", "--corpus", str(tmp_path), "--model", str(tmp_path / "m"), "--time-limit", "1"]) == 1
    assert "convert perceptual" in capsys.readouterr().err
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / stored.VGG.file).touch()
    assert main(["train", "all", "--corpus", str(tmp_path), "--model", str(tmp_path / "m"), "--time-limit", "1"]) == 1
    told = capsys.readouterr().err
    assert "convert dists" in told and "Or train with --no-perceptual." in told
    assert "train" not in stored.VGG.how  # which whoever measures is told too


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "not JSON"),
        ("[]", "not a table"),
        ('{"unet": 3}', "not a table"),
        ('{"painter": {}}', "no network 'painter'"),
    ],
)
def test_a_config_is_read_with_care(tmp_path, text, said):
    from mgld.commands.train_runs import _shapes

    (tmp_path / "shapes.json").write_text(text)
    with pytest.raises(UserError, match=said):
        _shapes(tmp_path / "shapes.json")
