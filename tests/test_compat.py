"""One word sets what the published scripts set; what is given beside it goes before it, and is said."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from mgld.__main__ import main, parser
from mgld.commands import benchmark, sweep
from mgld.commands.options import notes_of_compat, settings_of
from mgld.compat import overruled, settings_as
from mgld.errors import UserError
from mgld.methods import METHODS
from mgld.settings import Settings


def test_published_is_what_the_readmes_test_script_sets():
    said = asdict(settings_as("published"))
    for name, value in {
        "steps": 50, "guidance": 10.0, "guidance_mode": "released", "flow": "raft", "flow_range": "published", "segment": 5,
        "segments": "disjoint", "last_segment": "padded", "scenes": "ignored", "tiling": "alone", "blending": "uniform",
        "encoders": "two", "colour": "adain", "rounding": "down", "cfw": 1.0, "seed": 42, "sampler": "ddpm",
        "temporal_filter": "none",
    }.items():  # fmt: skip
        assert said[name] == value, name


def test_per_frame_is_stablesr_as_published():
    wanted = settings_as("published", "per_frame")
    assert (wanted.method, wanted.cfw, wanted.blending, wanted.steps) == ("per_frame", 0.5, "gaussian", 50)


@pytest.mark.parametrize("method", METHODS)
def test_ours_is_the_defaults(method):
    assert settings_as("ours", method) == Settings(method=method)


def test_what_is_given_goes_before_the_word():
    assert settings_as("published", given={"steps": 4, "flow": "dis"}).steps == 4
    assert overruled("published", "mgld", {"steps": 4, "segment": 5, "overlap": 1}) == {"steps": (4, 50)}
    assert overruled("ours", "mgld", {"steps": 4}) == {}


@pytest.mark.parametrize(
    ("compat", "given", "said"),
    [("theirs", {}, "--compat is 'theirs', but it must be one of ours, published"),
     ("published", {"steps": 0}, "Steps is 0"),
     ("published", {"segments": "overlapped", "overlap": 5}, "smaller than the segment length")],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_words(compat, given, said):
    with pytest.raises(UserError, match=said):
        settings_as(compat, given=given)


@pytest.mark.parametrize(
    "command", ["upscale in.mp4 out.mp4", "compare in.mp4 out", "evaluate --lq clips --json out.json"]
)
def test_every_command_takes_the_word_and_says_what_goes_before_it(command):
    chosen = parser().parse_args([*command.split(), "--compat", "published", "--steps", "4", "--flow", "raft"])
    assert settings_of(chosen, "mgld") == settings_as("published", "mgld", {"steps": 4})
    assert settings_of(chosen, "per_frame").cfw == 0.5
    assert notes_of_compat(chosen, ["mgld", "per_frame"]) == ["--steps 4 goes before --compat published, which says 50"]
    assert notes_of_compat(parser().parse_args([*command.split(), "--steps", "4"]), ["mgld"]) == []


@pytest.mark.parametrize(
    "command",
    ["upscale absent.mp4 out.mp4", "compare absent.mp4 out", "evaluate --lq absent --json out.json", "dial absent.mp4 out.csv",
     "ablate --lq absent --json out.json", "sweep --lq absent --json out.json", "benchmark --sizes 2"],
)  # fmt: skip
def test_every_command_says_what_goes_before_the_word(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*command.split(), "--compat", "published", "--colour", "none"]) == 1
    assert "note: --colour none goes before --compat published, which says adain" in capsys.readouterr().err


def test_per_frame_is_stablesr_wherever_methods_stand_side_by_side():
    published = ["--compat", "published", "--steps", "4"]
    measured = parser().parse_args(["benchmark", *published, "--methods", "per_frame", "mgld"])
    swept = parser().parse_args(["sweep", "--lq", "clips", "--json", "out.json", *published])
    of_method = {wanted.method: wanted for wanted, _, _ in benchmark.cases_of(measured)}
    for per_frame in (of_method["per_frame"], sweep.recipes_of(swept)["per_frame"]):
        assert per_frame == settings_as("published", "per_frame", {"steps": 4})
    assert of_method["mgld"] == settings_as("published", "mgld", {"steps": 4})


@pytest.mark.parametrize(
    ("words", "said"),
    [("--compat theirs", "invalid choice: 'theirs'"),
     ("--compat ours --compat published", "--compat is given as both ours and published; give it once")],
)  # fmt: skip
def test_another_word_or_two_of_them_are_refused_in_one_line(words, said, capsys):
    with pytest.raises(SystemExit):
        main(["upscale", "in.mp4", "out.mp4", *words.split()])
    told = capsys.readouterr().err
    assert said in told and len(told.splitlines()) == 1
