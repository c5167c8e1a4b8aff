"""What a visitor's form holds: its fields make the controls, the handlers' parameters, the API's types and the links."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any, get_type_hints

from mgld import constants, host
from mgld.comparison import refusals
from mgld.constants import DEFAULT_MODEL
from mgld.errors import UserError
from mgld.host import PAGE_DEFAULT_FRAMES, PAGE_FRAMES
from mgld.methods import COMPARED, METHODS, OURS
from mgld.presets import offered
from mgld.settings import HIGHEST_SEED, Settings

EXAMPLES = {p.stem: p for p in sorted((host.ASSETS / "clips").glob("*.mp4"))}
Crop = tuple[float, float, float, float]  # left, top, right, bottom as shares of the frame


def crop_of(text: str | None) -> Crop | None:
    """Read "left, top, right, bottom" in per cent; None for the whole frame; raise UserError if it is neither."""
    if not (text or "").strip():
        return None
    numbers = re.fullmatch(r"\s*" + r"[\s,]+".join([r"(\d+(?:\.\d+)?)"] * 4) + r"\s*", text)
    left, top, right, bottom = (float(n) / 100 for n in numbers.groups()) if numbers else (1, 1, 0, 0)
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise refusals.crop_unreadable(text)
    return None if (left, top, right, bottom) == (0, 0, 1, 1) else (left, top, right, bottom)


def _clip(text: str) -> str:
    """Only the shipped examples can be named: a link never makes this machine read anything else."""
    return str(EXAMPLES[_one_of(tuple(EXAMPLES), text)])


def _methods(text: str) -> list[str]:
    return [_one_of(OURS, name) for name in text.split(",")]


def _crop(text: str) -> str:
    crop_of(text)
    return text


def _within(low: float, high: float, number: float) -> float:
    if not low <= number <= high:
        raise ValueError(f"{number} is not from {low} to {high}")
    return number


def _one_of(names: Sequence[str], text: str) -> str:
    if text not in names:
        raise ValueError(f"{text!r} is none of {', '.join(names)}")
    return text


def _entry(
    control: str,
    label: str,
    help: str = "",
    default: Any = None,
    *,
    bounds: tuple[float, float] | None = None,
    options: Sequence[tuple[str, str]] = (),
    linked: Callable[[str], object] | None = None,
) -> Any:
    """Declare a field: its kind of control, its words, its bounds or (label, value) options, and how a link's text is read.

    linked raises ValueError or UserError for a text that is no value; without it a link cannot carry the field.
    """
    told = {"control": control, "label": label, "help": help, "bounds": bounds, "options": options, "linked": linked}
    return (
        field(default_factory=lambda: list(default), metadata=told)
        if isinstance(default, list)
        else field(default=default, metadata=told)
    )


@dataclass(frozen=True)
class Asked:
    """Values as a form or an API client sends them, unchecked: `mgld.comparison.request` checks them.

    knobs stands for its own fields but for the method; everything else of Settings is asked for by its own name.
    """

    clip: str | None = _entry("clip", "Low-quality clip", linked=_clip)
    methods: list[str] = _entry(
        "checks", "Methods to run", "“Per-frame” is StableSR’s recipe; the bicubic input is always beside them.", list(COMPARED),
        options=[(METHODS[name].layer, name) for name in OURS], linked=_methods,
    )  # fmt: skip
    frames: int = _entry(
        "slider", "Clip length (frames)", "How many frames are processed.", PAGE_DEFAULT_FRAMES, bounds=(1, PAGE_FRAMES),
        linked=lambda text: _within(1, PAGE_FRAMES, int(text)),
    )  # fmt: skip
    start_s: float = _entry(
        "number", "Start (s)", "Where in the clip to begin.", 0, bounds=(0, 1e6),
        linked=lambda text: _within(0, 1e6, float(text)),
    )  # fmt: skip
    crop: str = _entry(
        "text", "Part of the frame", "left, top, right, bottom in %; empty: the whole frame. Or drag on the picture.", "",
        linked=_crop,
    )  # fmt: skip
    truth: str | None = _entry("clip", "Ground truth (4×, optional)")
    others: list[str] | None = _entry("files", "Other results (4×), named by their files")
    degrade: bool = _entry(
        "checkbox", "Degradation lab: the clip is clean, degrade it first",
        "Makes a low-quality clip of a quarter of the size, as in training; the clip itself becomes the ground truth.", False,
    )  # fmt: skip
    degrade_seed: int = _entry(
        "number",
        "Degradation seed",
        "Another seed is another blur, noise and compression.",
        0,
        bounds=(0, HIGHEST_SEED),
    )
    model: str = _entry(
        "model", "Model", "Which weights.", DEFAULT_MODEL, linked=lambda text: _one_of(tuple(offered()), text)
    )
    knobs: Settings = field(default_factory=Settings)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Asked:
        """Return what flat values, by the names of FIELDS, ask for; those that are left out stand at their defaults."""
        knobs = {name: value for name, value in values.items() if name in KNOBS}
        return cls(**{n: v for n, v in values.items() if n not in KNOBS}, knobs=Settings(**knobs))


KNOBS: dict[str, Field] = {f.name: f for f in fields(Settings) if f.name != "method"}
OWN: dict[str, Field] = {f.name: f for f in fields(Asked) if f.name != "knobs"}
FIELDS: dict[str, Field] = OWN | KNOBS
LINKED = tuple(name for name, f in FIELDS.items() if name in KNOBS or f.metadata["linked"])
TYPES: dict[str, Any] = {n: t for n, t in (get_type_hints(Settings) | get_type_hints(Asked)).items() if n in FIELDS}


def read_link(query: Mapping[str, str]) -> tuple[dict[str, object], list[str]]:
    """Return (values by field, names whose value is not usable) of a query string; other names are not our business."""
    values: dict[str, object] = {}
    refused = []
    for name in (n for n in LINKED if n in query):
        try:
            values[name] = _knob(name, query[name]) if name in KNOBS else OWN[name].metadata["linked"](query[name])
        except (ValueError, UserError):
            refused.append(name)
    try:
        Asked.of(values).knobs.checked()
    except UserError:  # each is good, together they are not
        together = ("segment", "overlap", "steps", "first_timestep")
        refused += [n for n in together if values.pop(n, None) is not None]
    return values, refused


def _knob(name: str, text: str) -> object:
    """Read one setting, checked on its own; raise ValueError or UserError where the page's control would not hold it."""
    knob = KNOBS[name]
    value = text if "options" in knob.metadata else type(knob.default)(text)
    longest = KNOBS["segment"].metadata["range"][1]
    alone = {"overlap": 0} if name == "segment" else {"segment": longest} if name == "overlap" else {}
    checked = getattr(replace(Settings(**alone), **{name: value}).checked(), name)
    if name in constants.PAGE_HIGHEST:
        _within(0, constants.PAGE_HIGHEST[name], checked)
    return checked
