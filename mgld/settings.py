"""What a person can choose for a run: every option with its default, range and label."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from mgld import errors
from mgld.methods import METHODS

GUIDANCE_MODES = ("released", "paper", "corrected")
FLOWS = ("dis", "spynet", "raft")
SAMPLERS = ("ddpm", "ddim", "dpm++")
COLOURS = ("consistent", "adain", "wavelet", "none")
CANVASES = ("cleaned", "bicubic")
TEMPORAL_FILTERS = ("motion", "none")
DECODERS = ("temporal", "frame")
SEGMENTS = ("overlapped", "disjoint")
SCENES = ("found", "ignored")
REPEATS = ("held", "made")
FLAT = ("kept", "free")
LAST_SEGMENTS = ("short", "padded")
FLOW_RANGES = ("trained", "published")
ENCODERS = ("one", "two")
TILINGS = ("canvas", "alone")
BLENDS = ("linear", "uniform", "gaussian")
ROUNDINGS = ("nearest", "down")
ENGINES = ("local", "ray")  # of `upscale`: this process, or workers in a cluster
DTYPES = ("float32", "bfloat16", "float16")
LABELS = {  # of these names, wherever a person reads them and need not type them
    "released": "As released", "paper": "As in the paper", "corrected": "Corrected",
    "dis": "DIS", "spynet": "SPyNet", "raft": "RAFT",
    "ddpm": "DDPM", "ddim": "DDIM", "dpm++": "DPM++",
    "consistent": "Consistent with the input", "adain": "AdaIN", "wavelet": "Wavelet", "none": "None",
    "temporal": "Together", "frame": "One by one",
    "overlapped": "Overlapped", "disjoint": "Disjoint",
    "found": "Found", "ignored": "Ignored",
    "short": "Shorter", "padded": "Filled up",
    "trained": "As trained", "published": "As published",
    "one": "One", "two": "Two",
    "cleaned": "Cleaned", "bicubic": "Only enlarged", "motion": "Along the motion",
    "canvas": "One canvas", "alone": "Each tile alone",
    "linear": "Linear", "uniform": "Uniform", "gaussian": "Gaussian",
    "nearest": "Nearest", "down": "Down", "held": "Shown as repeats", "made": "Made anew",
    "kept": "Kept", "free": "The model’s own",
}  # fmt: skip


# What reads a setting. A change of one makes again what is read there and everything after it; `cutting` is how a clip is cut
# into segments, which matters to methods that look at neighbouring frames; `raft` is that flow network, where it measures motion.
AFFECTS = ("sampling", "cutting", "filtering", "moving", "raft", "guiding", "decoding", "finishing")

HIGHEST_SEED = 2**31 - 1

Entry = TypeVar("Entry")
Number = TypeVar("Number", int, float)
Declared = TypeVar("Declared", bound=type)


def number(default: Number, lowest: float, highest: float, label: str, help: str, *, affects: str) -> Number:
    """Declare a numeric setting with its range, label, one-line help and what reads it (one of AFFECTS)."""
    return field(
        default=default, metadata={"range": (lowest, highest), "label": label, "help": help, "affects": affects}
    )


def choice(default: str, options: tuple[str, ...], label: str, help: str, *, affects: str) -> str:
    """Declare a setting that takes one of a few names, which LABELS or METHODS label."""
    labels = {name: METHODS[name].layer if name in METHODS else LABELS[name] for name in options}
    told = {"options": options, "labels": labels, "label": label, "help": help, "affects": affects}
    return field(default=default, metadata=told)


def declared(kind: Declared) -> Declared:
    """Return the dataclass if each of its fields says what reads it; TypeError else, since its results could not be told apart."""
    for f in fields(kind):
        if f.metadata.get("affects") not in AFFECTS:
            raise TypeError(f"the setting {f.name!r} must say what reads it: affects= one of {', '.join(AFFECTS)}")
    return kind


def exhaustive(table: dict[str, Entry], names: tuple[str, ...]) -> dict[str, Entry]:
    """Return the table if it has an entry for each of a setting's options and no other; TypeError else."""
    if set(table) != set(names):
        raise TypeError(f"a table has {', '.join(table)}, but the options are {', '.join(names)}")
    return table


@declared
@dataclass(frozen=True)
class Settings:
    """Everything a person can choose for one run; the metadata is the only source of ranges and words."""

    method: str = choice("mgld", tuple(METHODS), "Method", "Which recipe makes the result.", affects="sampling")
    steps: int = number(2, 1, 1000, "Steps", "More steps: slower, more invented detail.", affects="sampling")
    first_timestep: int = number(
        999,
        1,
        999,
        "First timestep",
        "999 is nearly pure noise; from less, more of the input stays.",
        affects="sampling",
    )
    deepcache: int = number(
        1, 1, 8, "DeepCache interval", "Deep features are computed in every Nth step; 1: in each.", affects="sampling"
    )
    guidance: float = number(
        0.03, 0.0, 100.0, "Guidance strength", "0 is off; more is steadier, and softer.", affects="guiding"
    )
    guidance_mode: str = choice(
        "corrected", GUIDANCE_MODES, "Guidance mode", "Which form of the motion loss is followed.", affects="guiding"
    )
    flow: str = choice("dis", FLOWS, "Flow network", "Which network measures the motion.", affects="moving")
    flow_range: str = choice(
        "trained",
        FLOW_RANGES,
        "Range that RAFT sees",
        "Of RAFT alone: that of its training, or [0,1] as published.",
        affects="raft",
    )
    sampler: str = choice("ddpm", SAMPLERS, "Sampler", "How noise is removed from step to step.", affects="sampling")
    segment: int = number(5, 1, 64, "Segment length", "Frames that are sampled together.", affects="cutting")
    overlap: int = number(2, 0, 32, "Segment overlap", "Frames shared by neighbouring segments.", affects="cutting")
    segments: str = choice(
        "overlapped", SEGMENTS, "Segments", "Cross-fade neighbouring segments, or cut as published.", affects="cutting"
    )
    scenes: str = choice(
        "found", SCENES, "Scene cuts", "End segments at cuts, or let one scene shine into the other.", affects="cutting"
    )
    repeats: str = choice(
        "held",
        REPEATS,
        "Equal frames",
        "Show a frame that repeats the one before as that, or make it anew.",
        affects="cutting",
    )
    last_segment: str = choice(
        "short",
        LAST_SEGMENTS,
        "Last segment",
        "May be shorter, or repeats the last frame as published.",
        affects="cutting",
    )
    canvas: str = choice(
        "cleaned",
        CANVASES,
        "What the networks see",
        "The input cleaned first, where the model has a front-end for that, or only enlarged.",
        affects="sampling",
    )
    temporal_filter: str = choice(
        "motion",
        TEMPORAL_FILTERS,
        "Temporal filter",
        "Average the noise of neighbouring frames away along the motion first, or leave frames as they came.",
        affects="filtering",
    )
    encoders: str = choice(
        "one",
        ENCODERS,
        "Encoders",
        "One for all, or a first stage’s own for the latent as published.",
        affects="sampling",
    )
    tiling: str = choice(
        "canvas",
        TILINGS,
        "Large frames",
        "One canvas, or tiles that are each worked on alone as published.",
        affects="sampling",
    )
    blending: str = choice(
        "linear",
        BLENDS,
        "Overlapping tiles",
        "How those of the autoencoder become one; published: uniform.",
        affects="sampling",
    )
    seed: int = number(42, 0, HIGHEST_SEED, "Seed", "The same seed gives the same result.", affects="sampling")
    colour: str = choice(
        "consistent", COLOURS, "Colour fix", "How the result is held to the colours of the input.", affects="finishing"
    )
    flat: str = choice(
        "kept",
        FLAT,
        "Flat ground",
        "Keep black and the colours of flat ground, or leave them to the model.",
        affects="finishing",
    )
    rounding: str = choice(
        "nearest", ROUNDINGS, "Rounding to 8 bits", "To the nearest level, or down as published.", affects="finishing"
    )
    decoder: str = choice("temporal", DECODERS, "Decoder", "Decode frames together or one by one.", affects="decoding")
    cfw: float = number(
        1.0,
        0.0,
        1.0,
        "Fidelity (CFW)",
        "How much of the input's own features the decoder mixes in.",
        affects="decoding",
    )

    def checked(self) -> Settings:
        """Return self with whole numbers as int; raise UserError naming the first field that is out of range."""
        whole: dict[str, Any] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if "options" in f.metadata:
                if value not in f.metadata["options"]:
                    raise errors.bad_setting(f.metadata["label"], value, "one of " + ", ".join(f.metadata["options"]))
                continue
            low, high = f.metadata["range"]
            whole[f.name] = number_within(f.metadata["label"], value, low, high, isinstance(f.default, int))
        most = whole["first_timestep"] + 1
        if whole["steps"] > most:
            raise errors.bad_setting("Steps", self.steps, f"at most {most} from timestep {self.first_timestep}")
        if whole["overlap"] >= whole["segment"] and self.segments == "overlapped" and whole["segment"] > 1:
            raise errors.bad_setting(
                "Segment overlap", self.overlap, f"smaller than the segment length ({self.segment})"
            )
        return replace(self, **whole)


def number_within(label: str, value: object, lowest: float, highest: float, integer: bool) -> float:
    """Return the number if it is a real one inside its range (NaN, bool, text and fractions of whole numbers are not)."""
    kind = "a whole number" if integer else "a number"
    allowed = f"{kind} from {lowest:.10g} to {highest:.10g}"
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise errors.bad_setting(label, value, allowed)
    if not lowest <= value <= highest or (integer and value != int(value)):
        raise errors.bad_setting(label, value, allowed)
    return int(value) if integer else float(value)
