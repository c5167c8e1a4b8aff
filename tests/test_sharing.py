"""Runs share results and latents exactly where no setting that they read differs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from mgld.methods import METHODS
from mgld.settings import AFFECTS, Settings, declared, number
from mgld.sharing import relevant, sampled_as, settings_read


@declared
@dataclass(frozen=True)
class WithSharpening(Settings):
    """A setting that somebody adds."""

    sharpening: float = number(0.0, 0.0, 1.0, "Sharpening", "Edges stand out.", affects="finishing")


def test_a_new_setting_is_in_the_key_of_every_result_that_reads_it():
    plain, sharp = WithSharpening(), WithSharpening(sharpening=0.5)
    assert relevant(plain) != relevant(sharp)
    assert sampled_as(plain) == sampled_as(sharp)  # finishing does not touch the latents
    bicubic = replace(plain, method="bicubic"), replace(sharp, method="bicubic")
    assert relevant(bicubic[0]) == relevant(bicubic[1])


def test_a_setting_that_does_not_say_what_reads_it_is_refused():
    @dataclass(frozen=True)
    class Silent(Settings):
        strength: float = 0.0

    with pytest.raises(TypeError, match="'strength' must say what reads it"):
        declared(Silent)
    with pytest.raises(TypeError, match="affects"):
        number(0.0, 0.0, 1.0, "Strength", "How much.")


def test_every_kind_of_reader_has_a_setting():
    from dataclasses import fields

    assert {f.metadata["affects"] for f in fields(Settings)} == set(AFFECTS)


def test_latents_are_shared_by_methods_that_differ_in_the_decoder_only():
    assert sampled_as(Settings(method="mgld")) == sampled_as(Settings(method="mgld", decoder="frame", colour="none"))
    assert sampled_as(Settings(method="per_frame+mds")) == sampled_as(Settings(method="mgld"))
    assert sampled_as(Settings(method="per_frame")) != sampled_as(Settings(method="per_frame+tsd"))  # cut otherwise


def test_latents_of_segments_of_another_length_are_never_taken():
    assert sampled_as(Settings(method="per_frame", segment=5)) != sampled_as(Settings(method="per_frame", segment=9))


@pytest.mark.parametrize("alone", [{"overlap": 0}, {"segments": "disjoint"}])
def test_latents_of_frames_that_are_numbered_without_their_repeats_are_never_taken_by_a_run_that_makes_each(alone):
    held = Settings(method="per_frame+tsd", scenes="ignored", **alone)
    assert sampled_as(held) != sampled_as(replace(held, decoder="frame"))  # which sees no neighbour
    assert sampled_as(held) != sampled_as(replace(held, repeats="made"))
    assert sampled_as(replace(held, repeats="made")) == sampled_as(replace(held, decoder="frame"))


def test_per_frame_does_not_care_how_a_clip_is_cut_unless_noise_is_drawn_by_segment():
    five, nine = Settings(method="per_frame", segment=5), Settings(method="per_frame", segment=9)
    assert relevant(five) == relevant(nine)
    assert relevant(replace(five, segments="disjoint")) != relevant(replace(nine, segments="disjoint"))


def test_without_strength_nobody_reads_the_mode_and_without_the_filter_too_the_flow_but_it_is_not_the_default_strength():
    off = Settings(method="mgld", guidance=0.0)
    assert relevant(off) == relevant(replace(off, guidance_mode="paper"))
    assert relevant(off) != relevant(replace(off, flow="raft"))
    apart = replace(off, temporal_filter="none")
    assert relevant(apart) == relevant(replace(apart, flow="raft")) != relevant(off)
    assert relevant(off) != relevant(Settings(method="mgld"))


@pytest.mark.parametrize("name", METHODS)
def test_what_is_relevant_stays_so(name):
    wanted = Settings(method=name, steps=7, guidance=0.9, cfw=0.5, segment=7)
    assert relevant(relevant(wanted)) == relevant(wanted)


def test_a_range_that_only_raft_sees_makes_no_other_run():
    other = Settings(flow_range="published")
    assert relevant(other) == relevant(Settings())
    assert relevant(replace(other, flow="raft")) != relevant(Settings(flow="raft"))


def test_what_a_run_read_is_named_and_nothing_else():
    guided = settings_read(Settings(method="mgld"))
    assert {"steps", "guidance", "flow", "segment", "overlap", "decoder", "colour"} <= set(
        guided
    ) and "method" not in guided
    alone = settings_read(Settings(method="per_frame"))
    assert {"steps", "seed", "cfw"} <= set(alone) and not {
        "guidance",
        "flow",
        "segment",
        "decoder",
        "temporal_filter",
    } & set(alone)
    off = settings_read(Settings(method="per_frame+mds", guidance=0.0))
    assert {"guidance", "temporal_filter", "flow"} <= set(off) and "guidance_mode" not in off
    assert "flow" not in settings_read(Settings(guidance=0.0, temporal_filter="none"))
    assert "overlap" not in settings_read(Settings(segments="disjoint"))
    assert "flow_range" not in guided and "flow_range" in settings_read(Settings(flow="raft"))
    assert settings_read(Settings(method="bicubic")) == ()
