"""A link that carries the settings: read from the query string, each value checked on its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace

from mgld import settings
from mgld.comparison.request import crop_of
from mgld.errors import UserError
from mgld.methods import OURS
from mgld.presets import PRESETS
from mgld.settings import Settings

KNOBS = {f.name: f for f in fields(Settings) if f.name != "method"}
EXAMPLES = {p.stem: p for p in sorted((settings.ASSETS / "clips").glob("*.mp4"))}


def read(query: Mapping[str, str]) -> tuple[dict[str, object], list[str]]:
    """Return (values by control, names whose value is not usable); what the page does not know is not its business."""
    values, refused = {}, []
    for name, check in {**{n: _knob(n) for n in KNOBS}, **OTHERS}.items():
        if name not in query:
            continue
        try:
            values[name] = check(query[name])
        except (ValueError, UserError):
            refused.append(name)
    try:
        Settings(**{n: v for n, v in values.items() if n in KNOBS}).checked()
    except UserError:  # each is good, together they are not
        refused += [n for n in ("segment", "overlap") if values.pop(n, None) is not None]
    return values, refused


def _knob(name: str) -> Callable[[str], object]:
    knob = KNOBS[name]

    def check(text: str) -> object:
        value = text if "options" in knob.metadata else type(knob.default)(text)
        alone = {"overlap": 0} if name == "segment" else {"segment": 64} if name == "overlap" else {}
        checked = getattr(replace(Settings(**alone), **{name: value}).checked(), name)
        if checked > settings.PAGE_HIGHEST.get(name, checked):
            raise ValueError(f"the page's slider ends at {settings.PAGE_HIGHEST[name]}")
        return checked

    return check


def _frames(text: str) -> int:
    if not 1 <= int(text) <= settings.PAGE_FRAMES:
        raise ValueError(text)
    return int(text)


def _start(text: str) -> float:
    if not 0 <= float(text) < 1e6:
        raise ValueError(text)
    return float(text)


def _methods(text: str) -> list[str]:
    found = [m for m in OURS if m in text.split(",")]
    if not found or len(found) != len(text.split(",")):
        raise ValueError(text)
    return found


def _crop(text: str) -> str:
    crop_of(text)
    return text


def _clip(text: str) -> str:
    """Only the shipped examples can be named: a link never makes this machine read anything else."""
    if text not in EXAMPLES:
        raise ValueError(text)
    return str(EXAMPLES[text])


def _model(text: str) -> str:
    if text not in PRESETS:
        raise ValueError(text)
    return text


OTHERS: dict[str, Callable[[str], object]] = {
    "frames": _frames, "start_s": _start, "methods": _methods, "crop": _crop, "clip": _clip, "model": _model,
}  # fmt: skip
