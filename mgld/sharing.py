"""Which runs come to the same: settings that a method does not read, and runs that differ on the decoder's side only."""

from __future__ import annotations

from dataclasses import fields, replace

from mgld.settings import Settings

DEFAULTS = {f.name: f.default for f in fields(Settings)}
SAMPLING = {"method", "steps", "sampler", "seed"}
CUTTING = {"segment", "overlap", "segments"}
GUIDING = {"guidance", "guidance_mode", "flow"}
DECODING = {"colour", "cfw"}


def sampled_as(wanted: Settings) -> Settings:
    """Return settings that are equal for all runs with the same latents."""
    from mgld.pipeline import RECIPES

    plain = {name: DEFAULTS[name] for name in (*DECODING, "decoder")}
    # With and without the temporal decoder the guided sampling is one and the same.
    shared = {"method": "mgld"} if wanted.method in RECIPES and RECIPES[wanted.method].motion_guided else {}
    return replace(relevant(wanted), **plain, **shared)


def relevant(wanted: Settings) -> Settings:
    """Return settings in which every knob that this method does not read stands at its default."""
    from mgld.pipeline import RECIPES

    if wanted.method not in RECIPES:
        return Settings(method=wanted.method)
    recipe = RECIPES[wanted.method]
    read = SAMPLING | DECODING
    if recipe.motion_guided or recipe.temporal_decoder:
        read = read | CUTTING
    if recipe.motion_guided:
        read = read | GUIDING
    if recipe.temporal_decoder:
        read = read | {"decoder"}
    return Settings(**{name: getattr(wanted, name) for name in read})
