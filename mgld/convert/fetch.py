"""The published checkpoints: where each is, under which licence, and the download of those that the Hub has."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_download

from mgld import errors, host
from mgld.convert import refusals
from mgld.presets import sha256_of

S_LAB = "S-Lab License 1.0 (non-commercial)"
PINS = "pins.json"  # what was fetched: {file: {"revision", "sha256"}}


@dataclass(frozen=True)
class PublishedFile:
    """A published file: the option that takes it, where it is, its licence, and its hash as far as a source tells it.

    repo is a repository of the Hub; where tells a person the way to a file that is not there.
    """

    option: str
    licence: str
    repo: str = ""
    where: str = ""
    sha256: str = ""  # whole, or its first digits


SHARE = "the share that the README of MGLD-VSR (IanYeung/MGLD-VSR) links"
# No source at hand tells the hashes of MGLD's and StableSR's files, so none is written here: what the Hub states is noted at the
# first download and held against every later one, and --sha256 takes a hash that you trust.
CHECKPOINTS = {
    "mgldvsr_unet.ckpt": PublishedFile("--mgld-unet", S_LAB, where=SHARE),
    "video_vae_cfw.ckpt": PublishedFile("--mgld-vae", S_LAB, where=SHARE),
    "stablesr_000117.ckpt": PublishedFile("--stablesr", S_LAB, repo="Iceclear/StableSR"),
    "vqgan_cfw_00011.ckpt": PublishedFile("--stablesr-vae", S_LAB, repo="Iceclear/StableSR"),
    "raft-things.pth": PublishedFile(
        "--raft",
        "BSD-3-Clause",
        where="RAFT's own download; its converted weights are shipped",
        sha256="fcfa4125d6418f4de95d84aec20a3c5f4e205101715a79f193243c186ac9a7e1",
    ),
    "spynet_sintel_final-3d2a1287.pth": PublishedFile(
        "--spynet", "Apache-2.0", where="OpenMMLab's or BasicSR's download", sha256="3d2a1287"
    ),
}


def place_of(name: str) -> Path:
    """Return where a checkpoint is looked for, and put by fetch."""
    return host.CACHE / "checkpoints" / name


def on_hub() -> list[str]:
    """Return the checkpoints that fetch can get."""
    return [name for name, checkpoint in CHECKPOINTS.items() if checkpoint.repo]


def pins() -> dict[str, dict[str, str]]:
    """Return the revision and the hash of everything fetched so far."""
    path = place_of(PINS)
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise errors.weights_broken(path, "it is damaged; delete it to trust the Hub anew") from error


def fetch(name: str, revision: str = "", sha256: str = "", endpoint: str | None = None) -> dict[str, str]:
    """Download a checkpoint, drawing its progress, and return {"revision", "sha256"}.

    What was fetched before is fetched again from the same commit and must have the same hash, unless revision or sha256 say
    otherwise. Raises UserError if the Hub cannot be reached or the file is another one, which is then deleted.
    """
    if name not in CHECKPOINTS or not CHECKPOINTS[name].repo:
        raise refusals.not_on_hub(name, on_hub())
    repo, path, known = CHECKPOINTS[name].repo, place_of(name), {} if revision else pins().get(name, {})
    asked = revision or known.get("revision", "main")
    info = _asking(repo, lambda: HfApi(endpoint).model_info(repo, revision=asked, files_metadata=True))
    stated = {file.rfilename: file.lfs.sha256 for file in info.siblings or () if file.lfs}
    expected = sha256.lower() or known.get("sha256", "") or stated.get(name, "")
    options = {"revision": info.sha, "local_dir": path.parent, "endpoint": endpoint}
    _asking(repo, lambda: hf_hub_download(repo, name, **options))
    found = sha256_of(path)
    if expected and found != expected:
        path.unlink()
        raise refusals.hash_differs(name, found, expected)
    fetched = {"revision": info.sha, "sha256": found}
    place_of(PINS).write_text(json.dumps(pins() | {name: fetched}, indent=2) + "\n", encoding="utf-8")
    return fetched


def _asking(repo: str, question: Callable):
    """Ask the Hub; whatever its client raises (its own, the transport's or the system's errors) is one sentence."""
    try:
        return question()
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EACCES, errno.EROFS):
            raise refusals.folder_unwritable(place_of("")) from error
        raise errors.hub_unreachable(repo) from error
