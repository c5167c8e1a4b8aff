"""Finished segments of a run, on disk: a run that was stopped, by kill -9 too, goes on from there when it is started again.

One run at a time has its folder. What is read again is exact, so a resumed run and one that was never stopped are the same.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
import zipfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from mgld import __version__, errors, host
from mgld.events import Event, Guided, Note, Resumed, Sampled
from mgld.folders import LOCK, held, remove_unused
from mgld.methods import finds_scenes, holds_repeats, overlap_of, segment_count
from mgld.settings import Settings
from mgld.sharing import relevant

FORMAT = 1  # of the files; part of the key, so that a program which writes another one finds nothing
TAILS = "tails.npz"  # what the next segment needs of the last one
DAMAGE = (OSError, ValueError, LookupError, EOFError, zipfile.BadZipFile)
Outcome = TypeVar("Outcome")


class FinishedSegment(NamedTuple):
    """What a segment came to, and its shared frames as the next one needs them (float32; None where the scene ends)."""

    frames_u8: np.ndarray  # [n,4h,4w,3], those that no later segment touches
    z_tail: Tensor | None  # [overlap,c,h,w]
    x_tail: Tensor | None  # [overlap,3,H,W]
    told: tuple[Event, ...] = ()  # Guided and Sampled


def run_key(wanted: Settings, weights: Mapping, device: str, dtype: str, source: Mapping[str, object]) -> str:
    """Name a run by all that has a say in its bytes.

    weights is what describe_model says of the model; source says which frames of what content are read.
    """
    cut = {"segment": wanted.segment, "overlap": overlap_of(wanted), "scenes": finds_scenes(wanted)}
    program = {"format": FORMAT, "mgld": __version__, "torch": version("torch"), "device": device, "dtype": dtype}
    named = {"program": program, "settings": asdict(relevant(wanted)) | cut, "weights": weights}
    return hashlib.sha256(json.dumps(named | {"source": source}, sort_keys=True).encode()).hexdigest()[:32]


class KeptRun:
    """The segments of one run, by their first frame; key is run_key's, None for a run of which nothing is kept.

    count and frames say how much is there. notes say why no more is kept, where that is so. Close it, or remove it once the
    output is whole.
    """

    def __init__(self, key: str | None) -> None:
        self.count, self.frames = 0, 0
        self.notes: list[str] = []
        self._told = 0
        self._folder, self._lock = host.UNFINISHED / (key or ""), None
        self._paths: dict[int, Path] = {}
        self._heard: list[Event] = []
        if key is not None and host.UNFINISHED_BYTES:
            self._open()

    def resumed(self, wanted: Settings, total: int | None) -> Resumed:
        """Return what to tell of a run that goes on; scenes that are still to be found may make more segments of it."""
        if total is None or holds_repeats(wanted):  # how many of the total are repeats is seen when they are read
            return Resumed(self.count, None, self.frames)
        left = segment_count(wanted, total - self.frames) if total > self.frames else 0
        return Resumed(self.count, self.count + left, self.frames)

    def find(self, first: int) -> FinishedSegment | None:
        """Return the segment that begins at frame first, if it was finished; UserError if its file is damaged."""
        if first not in self._paths:
            return None
        try:
            stored = _read(self._paths[first])
            is_last = first + len(stored["frames_u8"]) == self.frames
            tails = _read(self._folder / TAILS) if is_last else {}
            z_tail, x_tail = _tensor(tails, "z"), _tensor(tails, "x")
            return FinishedSegment(stored["frames_u8"], z_tail, x_tail, _events(first, stored))
        except DAMAGE as error:
            self.remove()
            raise errors.kept_damaged() from error

    def hear(self, work: Generator[Event, None, Outcome]) -> Generator[Event, None, Outcome]:
        """Pass on what is told of the segment that is being made, and remember what is kept of it; return its outcome."""
        self._heard = []
        with closing(work):
            while True:
                try:
                    event = next(work)
                except StopIteration as end:
                    return end.value
                self._heard += [event] if isinstance(event, (Guided, Sampled)) else []
                yield event

    def keep(self, first: int, frames_u8: np.ndarray, z_tail: Tensor | None, x_tail: Tensor | None) -> None:
        """Write a segment with what was heard of it; where that cannot be, a note says so and the run goes on without."""
        if self._lock is None:
            return
        stored = {"frames_u8": frames_u8, **_arrays(self._heard)}
        tails = {name: tail.cpu().numpy() for name, tail in (("z", z_tail), ("x", x_tail)) if tail is not None}
        tails["end"] = np.array(first + len(frames_u8))
        try:
            if not self._has_room(sum(array.nbytes for array in (*stored.values(), *tails.values()))):
                raise OSError(0, "there is no room left for them")
            path = self._folder / f"{first:07d}-{first + len(frames_u8):07d}.npz"
            _write(path, stored)
            _write(self._folder / TAILS, tails)  # what counts is whole before it counts
        except OSError as error:
            self._give_up(error)
            return
        self._paths[first] = path
        self.count, self.frames = len(self._paths), first + len(frames_u8)

    def fresh_notes(self) -> Iterator[Note]:
        """Tell what was not told yet."""
        while self._told < len(self.notes):
            self._told += 1
            yield Note(self.notes[self._told - 1])

    def close(self) -> None:
        """Let another run have the folder."""
        if self._lock is not None:
            self._lock.release()
        self._lock = None

    def remove(self) -> None:
        """Forget the run: its output is whole."""
        if self._lock is not None:
            self.close()
            remove_unused(self._folder)

    def _open(self) -> None:
        try:
            sweep()
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = held(self._folder)
        except OSError as error:
            self._give_up(error)
            return
        if self._lock is None:
            self.notes.append("the same run is at work elsewhere: segments of this one are not kept")
            return
        self._look()

    def _look(self) -> None:
        """Find the segments from frame 0 on that belong together; whatever else lies there is of no use."""
        found = {int(path.name[:7]): path for path in sorted(self._folder.glob("*-*.npz")) if zipfile.is_zipfile(path)}
        try:
            end = int(_read(self._folder / TAILS)["end"])
        except DAMAGE:
            end = 0
        while self.frames < end and self.frames in found:
            path = self._paths[self.frames] = found[self.frames]
            self.frames = int(path.stem[8:])
        if self.frames != end:
            self._paths, self.frames = {}, 0
        self.count = len(self._paths)
        for path in self._folder.iterdir():
            if path.name not in (LOCK, TAILS) and path not in self._paths.values():
                path.unlink()

    def _has_room(self, size: int) -> bool:
        """Make room for so many bytes at the cost of other runs, the oldest first; say whether there is."""
        for other in (*_oldest_first(), None):
            used = sum(file.stat().st_size for file in host.UNFINISHED.rglob("*.npz"))
            free = shutil.disk_usage(self._folder).free - host.SPARE_BYTES
            if size <= min(host.UNFINISHED_BYTES - used, free):
                return True
            if other is not None and other != self._folder:
                remove_unused(other)
        return False

    def _give_up(self, error: OSError) -> None:
        said = f"finished segments are not kept from frame {self.frames} on: {error.strerror or error}"
        self.notes.append(f"{said}; a stopped run will not go on after that")
        self.close()


NOTHING_KEPT = KeptRun(None)


def told(resumed: Resumed) -> str:
    """Say how much of a run was there already."""
    of = "" if resumed.of is None else f" of {resumed.of}"
    return f"{resumed.segments}{of} segment{'s were' if resumed.segments != 1 or of else ' was'} there"


def forget(key: str) -> None:
    """Remove what is kept of a run that is not at work."""
    if (host.UNFINISHED / key).is_dir():
        remove_unused(host.UNFINISHED / key)


def sweep() -> None:
    """Remove runs that nobody went on with for host.UNFINISHED_DAYS."""
    for folder in _oldest_first():
        if time.time() - _written_s(folder) > 86400 * host.UNFINISHED_DAYS:
            remove_unused(folder)


def _oldest_first() -> list[Path]:
    root = host.UNFINISHED
    folders = [path for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
    return sorted(folders, key=_written_s)


def _written_s(folder: Path) -> float:
    """Return when a folder was last written to, now where its run has just ended and removed it."""
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def _read(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write a file that appears under its name only when it is whole."""
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
        try:
            np.savez(part, **arrays)
        except BaseException:
            Path(part.name).unlink()
            raise
    Path(part.name).replace(path)


def _tensor(arrays: dict[str, np.ndarray], name: str) -> Tensor | None:
    return torch.from_numpy(arrays[name]) if name in arrays else None


def _arrays(told: list[Event]) -> dict[str, np.ndarray]:
    arrays = {}
    for event in told:
        named = {k: v for k, v in vars(event).items() if k != "first_frame" and v is not None}
        arrays |= {name: np.asarray(value) for name, value in named.items()}
    return arrays


def _events(first: int, stored: dict[str, np.ndarray]) -> tuple[Event, ...]:
    told: list[Event] = []
    if "flow_px" in stored:
        steps = (tuple(map(float, stored[name])) for name in ("before", "after"))
        told.append(Guided(first, stored["flow_px"], stored["hidden"], *steps, stored.get("moved")))
    if "z" in stored:
        told.append(Sampled(first, stored["z"]))
    return tuple(told)
