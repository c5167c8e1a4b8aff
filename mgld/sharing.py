"""Which runs come to the same: settings that a method does not read, and runs that differ on the decoder's side only.

What each setting is read by stands in its declaration (`mgld.settings`), so that a new one cannot be forgotten here.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from mgld.methods import METHODS, finds_scenes, follows_motion, holds_repeats, is_guided, is_temporal, overlap_of
from mgld.settings import AFFECTS, Settings


def relevant(wanted: Settings) -> Settings:
    """Return settings that are equal for all runs of one method with the same result."""
    plain = _with_defaults(wanted, set(AFFECTS) - _read(wanted))
    if not is_guided(wanted):
        plain = replace(plain, guidance=0.0)  # its default would be a guided run's
    return plain if METHODS[wanted.method].temporal_decoder else replace(plain, decoder=Settings.decoder)


def sampled_as(wanted: Settings) -> Settings:
    """Return settings that are equal for all runs with the same latents, segment by segment.

    The temporal decoder changes the cut and whether equal frames are counted, never the sampling; so of the guided methods one
    stands for both. per_frame stands for itself: its networks may be StableSR's own.
    """
    method = "mgld" if METHODS[wanted.method].motion_guided else wanted.method
    cut: dict[str, Any] = {"segment": wanted.segment, "overlap": overlap_of(wanted), "segments": wanted.segments}
    cut |= {"scenes": "found" if finds_scenes(wanted) else "ignored", "last_segment": wanted.last_segment}
    cut |= {"repeats": "held" if holds_repeats(wanted) else "made"}
    return replace(_with_defaults(relevant(wanted), {"decoding", "finishing"}), **cut, method=method)


def settings_read(wanted: Settings) -> tuple[str, ...]:
    """Name the settings, but for the method, that have a say in this run's result; a strength of 0 is one of them."""
    method, kinds = METHODS[wanted.method], _read(wanted)
    left_out = {"method"} | (set() if method.temporal_decoder else {"decoder"})
    left_out |= {"overlap"} if wanted.segments == "disjoint" else set()
    strength = {"guidance"} if method.motion_guided else set()
    read = {f.name for f in fields(wanted) if f.metadata["affects"] in kinds} | strength
    return tuple(f.name for f in fields(wanted) if f.name in read - left_out)


def _read(wanted: Settings) -> set[str]:
    """Return what kinds of settings (of AFFECTS) change the result of this run."""
    if METHODS[wanted.method].peer:
        return set()
    read = {"sampling", "decoding", "finishing"}
    if METHODS[wanted.method].motion_guided:
        read.add("filtering")
    if follows_motion(wanted):
        read |= {"moving", "raft"} if wanted.flow == "raft" else {"moving"}
    if is_guided(wanted):
        read.add("guiding")
    if is_temporal(wanted) or wanted.segments == "disjoint":  # whose noise is drawn anew in every segment
        read.add("cutting")
    return read


def _with_defaults(wanted: Settings, kinds: set[str]) -> Settings:
    """Return settings in which what only these kinds are read by stands at its default; the method stays."""
    reset: dict[str, Any] = {f.name: f.default for f in fields(wanted) if f.metadata["affects"] in kinds}
    return replace(wanted, **reset | {"method": wanted.method})
