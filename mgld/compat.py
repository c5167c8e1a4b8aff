"""The published system in one word: what its test scripts set, method by method; docs/published-vs-ours.md tells each row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from mgld import errors
from mgld.settings import Settings, exhaustive

COMPATS = ("ours", "published")
PUBLISHED: dict[str, Any] = {
    "steps": 50, "first_timestep": 999, "sampler": "ddpm", "deepcache": 1, "guidance": 10.0, "guidance_mode": "released",
    "flow": "raft", "flow_range": "published", "segment": 5, "segments": "disjoint", "scenes": "ignored",
    "last_segment": "padded", "canvas": "bicubic", "encoders": "two", "tiling": "alone", "blending": "uniform", "seed": 42,
    "colour": "adain", "rounding": "down", "decoder": "temporal", "cfw": 1.0, "repeats": "made", "flat": "free",
    "temporal_filter": "none",
}  # fmt: skip
STABLESR: dict[str, Any] = {
    "blending": "gaussian",
    "cfw": 0.5,
}  # where it differs; at 50 steps, as the paper compares it
DEFAULTS: Mapping[str, Mapping[str, Any]] = exhaustive({"ours": {}, "published": PUBLISHED}, COMPATS)


def settings_as(compat: str, method: str = "mgld", given: Mapping[str, Any] | None = None) -> Settings:
    """Return the checked settings of one of COMPATS for a method; what is given by name goes before them.

    Raises UserError for another word, and for what Settings refuses.
    """
    if compat not in COMPATS:
        raise errors.bad_setting("--compat", compat, "one of " + ", ".join(COMPATS))
    return replace(Settings(method=method), **_defaults(compat, method) | dict(given or {})).checked()


def overruled(compat: str, method: str, given: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return {setting: (given, what compat says)} of what is given otherwise than compat would have it."""
    said = _defaults(compat, method)
    return {f.name: (given[f.name], said[f.name]) for f in fields(Settings) if _differs(f.name, given, said)}


def _defaults(compat: str, method: str) -> dict[str, Any]:
    own = STABLESR if compat == "published" and method == "per_frame" else {}
    return {**DEFAULTS[compat], **own}


def _differs(name: str, given: Mapping[str, Any], said: Mapping[str, Any]) -> bool:
    return name in given and name in said and given[name] != said[name]
