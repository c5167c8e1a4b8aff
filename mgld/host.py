"""What whoever runs the program decides: folders, and limits of this machine; the only module that reads the environment."""

from __future__ import annotations

import os
from pathlib import Path

from mgld import errors
from mgld.constants import DEFAULT_MODEL, LAYERS_AT_MOST


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


def show_ray_the_token() -> None:
    """Let Ray, before it is imported, show a cluster the token that lies here; else only one on this machine would see it."""
    told = any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    if told or (Path.home() / RAY_TOKEN).is_file():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def keep_uploads_in(folder: Path) -> None:
    """Let Gradio put what is uploaded and what it serves into a folder of this process's own."""
    os.environ["GRADIO_TEMP_DIR"] = str(folder)


ASSETS = assets_of(Path(__file__).resolve().parent)
CACHE = Path(os.environ.get("MGLD_CACHE", Path.home() / ".cache" / "mgld"))
RAY_TOKEN = ".ray/auth_token"  # in the home folder, where Ray puts it
MODELS = ASSETS / "models"
HOW_TO_GET = {
    "tiny": "It ships with the repository in assets/models/tiny; restore that folder or run `python -m mgld train`.",
    "sd21": "Convert the published checkpoints once: `python -m mgld convert sd21 --mgld-unet mgldvsr_unet.ckpt "
    f"--mgld-vae video_vae_cfw.ckpt {MODELS / 'sd21'}`; `python -m mgld doctor` says where they are.",
}
# What the decoding process may know of the environment: no tokens, no proxies.
NEEDED = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "PYTHONDONTWRITEBYTECODE")
PASSED_ON = {name: os.environ[name] for name in NEEDED if name in os.environ}

# Runs
UNFINISHED = CACHE / "unfinished"  # finished segments of runs that were stopped, until they are run again
UNFINISHED_BYTES = 10**6 * limit_of("MGLD_UNFINISHED_MB", 20_000, 0, 10**8)  # of all such runs; 0 keeps none
UNFINISHED_DAYS = 7
SPARE_BYTES = 10**6 * limit_of("MGLD_SPARE_MB", 1000, 0, 10**8)  # of each disk, which stay free
# Shapes whose denoising step is kept as a CUDA graph. On ZeroGPU each job has a process of its own, which would only record.
ZERO_GPU = bool(os.environ.get("SPACES_ZERO_GPU", "").strip())
CUDA_GRAPHS = 0 if ZERO_GPU else limit_of("MGLD_CUDA_GRAPHS", 4, 0, 64)

# The page
SERVED_AT = os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1"  # the address; Gradio reads the variable itself
PAGE_MODEL = os.environ.get("MGLD_MODEL", "").strip() or DEFAULT_MODEL  # with which it starts
# What else visitors may choose: folders, and OWNER/NAME[@COMMIT] of Hub repositories, with commas between
PAGE_MODELS = tuple(filter(None, (name.strip() for name in os.environ.get("MGLD_MODELS", "").split(","))))
PAGE_FRAMES = limit_of("MGLD_PAGE_FRAMES", 60, 1, 10_000)  # of the longest clip
PAGE_DEFAULT_FRAMES = min(16, PAGE_FRAMES)
QUEUE = limit_of("MGLD_QUEUE", 32, 1, 1000)  # runs that may wait; who comes then is told that it is full
# What a job may ask of a lent GPU, at least and at most; the first one asks less, since more is beyond what strangers get in a day.
GPU_SECONDS = (30, limit_of("MGLD_GPU_SECONDS", 300, 30, 3600))
GPU_SECONDS_UNKNOWN = min(60, GPU_SECONDS[1])
KEPT_BYTES = 10**6 * limit_of("MGLD_KEPT_MB", 1500, 1, 1_000_000)  # finished frames in memory, of all visitors together
FILES_S = 60 * limit_of("MGLD_FILES_MINUTES", 60, 1, 10_000)  # that uploads and results lie on the page's disk
UPLOADS_IN = Path(told) if (told := os.environ.get("GRADIO_TEMP_DIR")) else None  # None: the temporary folder
UPLOAD_BYTES = limit_of("MGLD_UPLOAD_MB", 64, 1, 100_000) * 2**20  # of one file
UPLOADS_BYTES = 10**6 * limit_of("MGLD_UPLOADS_MB", 4000, 1, 10**8)  # of all together that lie on the page's disk
UPLOAD_REQUEST_BYTES = LAYERS_AT_MOST * UPLOAD_BYTES + 2**20  # of all files that are sent at once
