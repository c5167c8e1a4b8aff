"""Every default, range, label and limit; the only module that reads the environment."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from mgld import errors
from mgld.methods import METHODS


def assets_of(package: Path) -> Path:
    """Return the folder of models, clips and page files: inside a package from a wheel, beside one in a checkout."""
    if (package / "assets").is_dir():
        return package / "assets"
    if (package.parent / "app.py").is_file():
        return package.parent / "assets"
    raise errors.assets_missing(package)


def limit_of(name: str, default: int, lowest: int, highest: int) -> int:
    """Return the whole number that an environment variable holds, the default where it is unset or empty; UserError else."""
    text = os.environ.get(name, "").strip() or str(default)
    if not text.isascii() or not text.isdigit() or not lowest <= int(text) <= highest:
        raise errors.limit_unreadable(name, text, lowest, highest)
    return int(text)


def keep_ray_from_reporting() -> None:
    """Let a cluster that is started here tell its makers nothing of its use, unless the environment asks for that."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


def keep_uploads_in(folder: Path) -> None:
    """Let Gradio put what is uploaded and what it serves into a folder of this process's own."""
    os.environ["GRADIO_TEMP_DIR"] = str(folder)


ASSETS = assets_of(Path(__file__).resolve().parent)
CACHE = Path(os.environ.get("MGLD_CACHE", Path.home() / ".cache" / "mgld"))
MODELS = ASSETS / "models"
DEFAULT_MODEL = "tiny"
PAGE_MODEL = os.environ.get("MGLD_MODEL", "").strip() or DEFAULT_MODEL  # with which the page starts
# What else visitors may choose: folders, and OWNER/NAME[@COMMIT] of Hub repositories, with commas between
PAGE_MODELS = tuple(filter(None, (name.strip() for name in os.environ.get("MGLD_MODELS", "").split(","))))
# What the decoding process may know of the environment: no tokens, no proxies.
NEEDED = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "PYTHONDONTWRITEBYTECODE")
PASSED_ON = {name: os.environ[name] for name in NEEDED if name in os.environ}
HOW_TO_GET = {
    "tiny": "It ships with the repository in assets/models/tiny; restore that folder or run `python -m mgld train`.",
    "sd21": "Convert the published checkpoints once: `python -m mgld convert sd21 --mgld-unet mgldvsr_unet.ckpt "
    f"--mgld-vae video_vae_cfw.ckpt {MODELS / 'sd21'}`; `python -m mgld doctor` says where they are.",
}

SCALE = 4  # output side / input side, everywhere
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")  # frames of a clip that is a folder
VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".gif")  # files that are read as clips
VAE_TILE = (960, 752)  # side and stride in pixels; published: 960 and 750, which does not fit the latent grid
FEATURES_BYTES = (
    2 * 2**30
)  # of the encoder's features of a segment, which the decoder reads; larger ones are computed twice
ALONE_TILE, STABLESR_TILE = (960, 750), (1280, 1000)  # of tiles that are worked on alone, MGLD's and StableSR's
SMALLEST_TILE_PX = 128  # to which the autoencoder's tiles shrink where memory runs short
TILE_HALVINGS = 2  # before a clip is refused for want of memory

WORK_ATTEMPTS = 3  # workers of a cluster that may fail at one segment, or at opening the model, before it is given up
SEGMENTS_PER_WORKER = (
    3  # in flight: one that is sampled, one that waits for its neighbours, one that waits for a worker
)
WORKER_WAIT_S = 900.0  # for a place in the cluster and for the model to be opened there

PREVIEW_EVERY_S = 0.5
PREDICTED_RANGE = (0.5, 1.9)  # of what was predicted: what runs took beside a load that changes, 8 of 10
PAGE_FRAMES = limit_of("MGLD_PAGE_FRAMES", 60, 1, 10_000)  # longest clip of the page
PAGE_DEFAULT_FRAMES = min(16, PAGE_FRAMES)
PAGE_PRESETS = {  # longer segments share fewer frames, so less is computed twice
    "Quick look": {"steps": 1, "segment": 9},  # two of 9 that share 2 are the 16 frames of PAGE_DEFAULT_FRAMES
    "Balanced": {"steps": 2, "segment": 5},
    "Paper": {"steps": 50, "segment": 5},
}
# of sliders; the API and the command line go further
PAGE_HIGHEST = {"steps": 50, "guidance": 2, "segment": 16, "overlap": 8}
PAGE_STEP = {"guidance": 0.05, "cfw": 0.05}
PEER_SUFFIXES = (".pth", ".safetensors")  # of ESRGAN checkpoints, which stand where a clip made elsewhere can
LAYERS_AT_MOST = 6  # of the comparison, the bicubic input among them
DIAL_STEPS = (1, 2, 4, 8, 15, 25, 50)  # of which the last is what the others are held against
DIAL_LOWER = (
    (600, (1, 2, 4, 8)),
    (800, (1, 2, 4, 8)),
)  # first timesteps, and the numbers of steps that are tried from there
DIAL_REUSE = ((2, (4, 8, 15, 25, 50)), (3, (8, 15, 25, 50)))  # DeepCache intervals, likewise
SWEEP = (0.0, 0.1, 0.3, 1.0, 2.0)  # guidance strengths that are tried unless told otherwise
SWEEP_COUNT = (3, LAYERS_AT_MOST - 1)  # the input is one more layer
KEPT_BYTES = 10**6 * limit_of("MGLD_KEPT_MB", 1500, 1, 1_000_000)  # finished frames in memory, of all visitors together
UNFINISHED = CACHE / "unfinished"  # finished segments of runs that were stopped, until they are run again
UNFINISHED_BYTES = 10**6 * limit_of("MGLD_UNFINISHED_MB", 20_000, 0, 10**8)  # of all such runs; 0 keeps none
UNFINISHED_DAYS = 7
SPARE_BYTES = 10**6 * limit_of("MGLD_SPARE_MB", 1000, 0, 10**8)  # of each disk, which stay free
KEPT_SAMPLINGS = 24  # their latents, which are small
KEPT_SESSIONS = 6  # visitors whose last comparison can still be looked into
PARTIAL_SHARE = 6  # a running comparison is shown again once this many times the last showing's seconds have passed
QUEUE = limit_of("MGLD_QUEUE", 32, 1, 1000)  # runs that may wait; who comes then is told that it is full
# What a job may ask of a lent GPU, at least and at most; the first one asks less, since more is beyond what strangers get in a day.
GPU_SECONDS = (30, limit_of("MGLD_GPU_SECONDS", 300, 30, 3600))
GPU_SECONDS_UNKNOWN = min(60, GPU_SECONDS[1])
# Shapes whose denoising step is kept as a CUDA graph. On ZeroGPU each job has a process of its own, which would only record.
ZERO_GPU = bool(os.environ.get("SPACES_ZERO_GPU", "").strip())
CUDA_GRAPHS = 0 if ZERO_GPU else limit_of("MGLD_CUDA_GRAPHS", 4, 0, 64)
UPLOADS_IN = (
    Path(os.environ["GRADIO_TEMP_DIR"]) if os.environ.get("GRADIO_TEMP_DIR") else None
)  # None: the temporary folder
FILES_S = 60 * limit_of("MGLD_FILES_MINUTES", 60, 1, 10_000)  # that uploads and results lie on the page's disk
UPLOAD_BYTES = limit_of("MGLD_UPLOAD_MB", 64, 1, 100_000) * 2**20
UPLOADS_BYTES = 10**6 * limit_of(
    "MGLD_UPLOADS_MB", 4000, 1, 10**8
)  # of all uploads together that lie on the page's disk
UPLOAD_REQUEST_BYTES = LAYERS_AT_MOST * UPLOAD_BYTES + 2**20  # of all files that are sent at once
REQUEST_BYTES = 4 * 2**20  # of any other request
PAGE_SESSIONS = 200  # visitors for whom Gradio remembers what it has sent them, the last ones
TAKEN_BYTES = 2 * 2**30  # of all files of a comparison, up to which they are also offered as one zip

GAN_WEIGHT = 0.025  # in the loss of the decoder (Eq. 8)
AUTOENCODER_GAN_WEIGHT = 0.02
CRITICS_SHARE = 0.2  # of the few-step stage: the critics' gradient at the picture in that of the other losses
FLAT_WEIGHT = (
    10.0  # of the few-step stage: of what flat ground shows beyond the truth above a quarter of the sampling rate
)

GUIDANCE_MODES = ("released", "paper", "corrected")
FLOWS = ("dis", "spynet", "raft")
SAMPLERS = ("ddpm", "ddim", "dpm++")
COLOURS = ("adain", "wavelet", "none")
CANVASES = ("cleaned", "bicubic")
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
    "adain": "AdaIN", "wavelet": "Wavelet", "none": "None",
    "temporal": "Together", "frame": "One by one",
    "overlapped": "Overlapped", "disjoint": "Disjoint",
    "found": "Found", "ignored": "Ignored",
    "short": "Shorter", "padded": "Filled up",
    "trained": "As trained", "published": "As published",
    "one": "One", "two": "Two",
    "cleaned": "Cleaned", "bicubic": "Only enlarged",
    "canvas": "One canvas", "alone": "Each tile alone",
    "linear": "Linear", "uniform": "Uniform", "gaussian": "Gaussian",
    "nearest": "Nearest", "down": "Down", "held": "Shown as repeats", "made": "Made anew",
    "kept": "Kept", "free": "The model’s own",
}  # fmt: skip


# What reads a setting. A change of one makes again what is read there and everything after it; `cutting` is how a clip is cut
# into segments, which matters to methods that look at neighbouring frames.
AFFECTS = ("sampling", "cutting", "guiding", "decoding", "finishing")

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
        0.3, 0.0, 100.0, "Guidance strength", "0 is off; more is steadier, and softer.", affects="guiding"
    )
    guidance_mode: str = choice(
        "corrected", GUIDANCE_MODES, "Guidance mode", "Which form of the motion loss is followed.", affects="guiding"
    )
    flow: str = choice("dis", FLOWS, "Flow network", "Which network measures the motion.", affects="guiding")
    flow_range: str = choice(
        "trained",
        FLOW_RANGES,
        "Range that RAFT sees",
        "That of its training, or [0,1] as published.",
        affects="guiding",
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
    seed: int = number(42, 0, 2**31 - 1, "Seed", "The same seed gives the same result.", affects="sampling")
    colour: str = choice(
        "adain", COLOURS, "Colour fix", "How the colours of the input are restored.", affects="finishing"
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
            whole[f.name] = _number(f.metadata["label"], value, low, high, isinstance(f.default, int))
        most = whole["first_timestep"] + 1
        if whole["steps"] > most:
            raise errors.bad_setting("Steps", self.steps, f"at most {most} from timestep {self.first_timestep}")
        if whole["overlap"] >= whole["segment"] and self.segments == "overlapped" and whole["segment"] > 1:
            raise errors.bad_setting(
                "Segment overlap", self.overlap, f"smaller than the segment length ({self.segment})"
            )
        return replace(self, **whole)


def _number(label: str, value: object, lowest: float, highest: float, integer: bool) -> float:
    """Return the number if it is a real one inside its range (NaN, bool, text and fractions of whole numbers are not)."""
    kind = "a whole number" if integer else "a number"
    allowed = f"{kind} from {lowest:g} to {highest:g}"
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise errors.bad_setting(label, value, allowed)
    if not lowest <= value <= highest or (integer and value != int(value)):
        raise errors.bad_setting(label, value, allowed)
    return int(value) if integer else float(value)


@dataclass(frozen=True)
class Limits:
    """What a clip may be; protects the machine from hostile or hopeless input."""

    smallest_side_px: int = 16
    largest_frame_px: int = 3840 * 2160
    widest_aspect: float = 8.0
    lowest_fps: float = 0.1
    highest_fps: float = 120.0
    default_fps: float = 25.0
    streams: int = 48  # films carry subtitles in thirty languages
    archive_pictures: int = 20_000
    picture_bytes: int = 128 * 2**20  # of a file in an archive, unpacked
    decoder_bytes: int = 2 * 2**30  # address space of the process that decodes
    decoder_stall_s: float = 60.0  # without a frame, before the decoder is given up


LIMITS = Limits()
