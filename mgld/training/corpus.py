"""Pack photographs and videos into shards with a manifest, and open them as one decoded array on disk."""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import logging
import os
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from mgld import errors, host
from mgld.constants import CLIP_SUFFIXES, PICTURE_SUFFIXES
from mgld.training import refusals
from mgld.video import read_frames

log = logging.getLogger(__name__)

SHARDS = "corpus-*.zip"
SHARD_BYTES = 60_000_000
HELD_OUT_SHARE = 0.05
FRAMES_PER_VIDEO = 96
FEWEST_FRAMES = 8  # numbered pictures of one size in a folder are a video from here on
SMALLEST_SIDE_PX = 160
LARGEST_SIDE_PX = 1440
DECODED_AT_ONCE = 64  # pictures of the corpus, by all cores
VIDEO_SHRINK = 2  # compressed footage is halved, so that its own compression does not show


@dataclass(frozen=True)
class Item:
    """One photograph (frames == 1) or clip of the manifest."""

    name: str
    source: str
    licence: str
    sha256: str
    frames: int
    height: int
    width: int
    split: str  # "train" or "held_out"


def pack_corpus(sources: list[Path], out: Path, licence: str = "unknown") -> list[Item]:
    """Write shards of at most 60 MB and manifest.csv into the folder `out`; return the manifest.

    A manifest.csv beside the sources (columns file, source or licence) is consulted for what each file is.
    """
    out.mkdir(parents=True, exist_ok=True)
    items, shard, written = [], 0, SHARD_BYTES
    archive: zipfile.ZipFile | None = None
    for item, encoded in _encoded(sources, out, licence):
        size = sum(map(len, encoded))
        if written + size > SHARD_BYTES:
            if archive is not None:
                archive.close()
            archive, shard, written = zipfile.ZipFile(out / f"corpus-{shard:03d}.zip", "w"), shard + 1, 0
        for i, data in enumerate(encoded):
            archive.writestr(f"{item.name}/{i:05d}.webp", data)
        written += size
        items.append(item)
    if archive is None:
        raise refusals.corpus_empty(sources)
    archive.close()
    items = _with_held_out(items)
    _write_manifest(out / "manifest.csv", items)
    return items


def _with_held_out(items: list[Item]) -> list[Item]:
    """Hold one item back, a photograph if there is one, where a small corpus left that split empty by chance."""
    if len(items) < 2 or any(item.split == "held_out" for item in items):
        return items
    chosen = min(items, key=lambda item: (item.frames > 1, item.sha256))
    return [replace(item, split="held_out") if item is chosen else item for item in items]


def _files(sources: list[Path], out: Path) -> Iterator[Path]:
    """Yield photographs, videos and folders that hold the frames of one video, in a fixed order; no shards in `out`."""
    shards = {p.resolve() for p in out.glob(SHARDS)}
    for source in sources:
        if not source.exists():
            raise errors.file_missing(source)
        paths = [p for p in source.rglob("*") if p.is_file()] if source.is_dir() else [source]
        paths = [p for p in paths if p.resolve() not in shards]
        for folder, group in itertools.groupby(sorted(paths, key=lambda p: (p.parent, p)), lambda p: p.parent):
            members = list(group)
            pictures = [p for p in members if p.suffix.lower() in PICTURE_SUFFIXES]
            if _is_footage(pictures):
                yield folder
                pictures = []
            yield from pictures + [p for p in members if p.suffix.lower() in CLIP_SUFFIXES]


def _is_footage(pictures: list[Path]) -> bool:
    """Tell frames of one video from an album: many pictures, numbered names, one size."""
    if len(pictures) < FEWEST_FRAMES or not all(any(c.isdigit() for c in p.stem) for p in pictures):
        return False
    read = (cv2.imread(str(p)) for p in pictures[:FEWEST_FRAMES])
    return len({picture.shape for picture in read if picture is not None}) == 1


def _known(sources: list[Path]) -> dict[str, str]:
    """Read what manifest.csv files near the sources say of each file name."""
    known = {}
    for source in sources:
        for manifest in {*source.glob("manifest.csv"), *source.parent.glob("manifest.csv")}:
            with manifest.open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    name = row.get("file") or row.get("name") or ""
                    known[Path(name).name] = row.get("licence") or row.get("source") or "unknown"
    return known


def _encoded(sources: list[Path], out: Path, licence: str) -> Iterator[tuple[Item, list[bytes]]]:
    """Yield what _encode makes of each source that is of use; say which are left out."""
    known = _known(sources)
    for path in _files(sources, out):
        try:
            item, encoded = _encode(path, licence, known)
        except errors.UserError as error:
            log.info("left out: %s", error)
            continue
        if item is not None:
            yield item, encoded
        else:
            log.info("%s is too small or cannot be read, left out", path.name)


def _encode(path: Path, licence: str, known: dict[str, str]) -> tuple[Item | None, list[bytes]]:
    """Return the manifest line and the WebP pictures of one photograph or video (None if it is too small, or no picture)."""
    if path.is_dir() or path.suffix.lower() in CLIP_SUFFIXES:
        frames = [f.rgb_u8 for f in read_frames(path, max_frames=FRAMES_PER_VIDEO)]
        frames = [_shrink(f, 1 / VIDEO_SHRINK) for f in frames]
    else:
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        frames = [] if picture is None else [picture[..., ::-1]]
    if not frames or min(frames[0].shape[:2]) < SMALLEST_SIDE_PX:
        return None, []
    frames = [_shrink(f, min(1.0, LARGEST_SIDE_PX / max(f.shape[:2]))) for f in frames]
    contents = sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in contents)).hexdigest()
    height, width = frames[0].shape[:2]
    item = Item(
        name=f"{path.stem}-{digest[:8]}",
        source=path.name,
        licence=known.get(path.name, licence),
        sha256=digest,
        frames=len(frames),
        height=height,
        width=width,
        split="held_out" if int(digest[:8], 16) / 2**32 < HELD_OUT_SHARE else "train",
    )
    return item, [cv2.imencode(".webp", f[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 95])[1].tobytes() for f in frames]


def _shrink(frame: np.ndarray, factor: float) -> np.ndarray:
    if factor >= 1:
        return frame
    size = (round(frame.shape[1] * factor), round(frame.shape[0] * factor))
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA)


def _write_manifest(path: Path, items: list[Item]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(asdict(items[0])))
        writer.writeheader()
        writer.writerows(asdict(item) for item in items)


class Corpus:
    """A packed corpus, decoded once into a flat file of u8 pixels that all worker processes map."""

    def __init__(self, folder: Path) -> None:
        manifest = folder / "manifest.csv"
        if not manifest.exists():
            raise errors.file_missing(manifest)
        key = hashlib.sha256(manifest.read_bytes()).hexdigest()[:16]
        cache = host.CACHE / "corpus" / key
        if not (cache / "index.json").exists():
            _decode_all(folder, cache)
        self.items = [Item(**row) for row in json.loads((cache / "index.json").read_text(encoding="utf-8"))]
        self._pixels = np.memmap(cache / "pixels.u8", np.uint8, "r")
        sizes = [i.frames * i.height * i.width * 3 for i in self.items]
        self._starts = np.concatenate([[0], np.cumsum(sizes)])

    def split(self, name: str, clips: bool) -> list[int]:
        """Return the indices of a split's clips or stills."""
        return [i for i, item in enumerate(self.items) if item.split == name and (item.frames > 1) == clips]

    def pixels(self, index: int) -> np.ndarray:
        """Return u8 [frames,H,W,3] of one item, without copying."""
        item = self.items[index]
        flat = self._pixels[self._starts[index] : self._starts[index + 1]]
        return flat.reshape(item.frames, item.height, item.width, 3)


def _decoded(encoded: bytes) -> np.ndarray:
    """Return u8 [H,W,3] of one WebP picture."""
    return np.ascontiguousarray(cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)[..., ::-1])


def _decode_all(folder: Path, cache: Path) -> None:
    """Decode every shard into cache/pixels.u8; index.json is written last and marks the cache as whole."""
    cache.mkdir(parents=True, exist_ok=True)
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    partial = cache / f"pixels-{os.getpid()}.part"  # several processes may find the cache empty at once
    with ExitStack() as stack:
        shards = [stack.enter_context(zipfile.ZipFile(p)) for p in sorted(folder.glob(SHARDS))]
        pixels, pool = stack.enter_context(partial.open("wb")), stack.enter_context(ThreadPoolExecutor())
        where = {name: shard for shard in shards for name in shard.namelist()}
        names = [f"{row['name']}/{i:05d}.webp" for row in rows for i in range(int(row["frames"]))]
        for first in range(0, len(names), DECODED_AT_ONCE):
            some = names[first : first + DECODED_AT_ONCE]
            encoded = [where[name].read(name) for name in some]  # one reader: a zip file has one place to read from
            for picture in pool.map(_decoded, encoded):
                pixels.write(picture.tobytes())
    partial.replace(cache / "pixels.u8")
    index = [{**row, **{k: int(row[k]) for k in ("frames", "height", "width")}} for row in rows]
    (cache / "index.json").write_text(json.dumps(index), encoding="utf-8")
