"""What is taken home: every result as a video, the labelled comparison, its pictures, the report, and all of it as one zip."""

from __future__ import annotations

import json
import shutil
import threading
import weakref
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from mgld.comparison.grid import labelled_grid
from mgld.comparison.layers import label_of
from mgld.comparison.report import Line, Outcome, report_pictures
from mgld.comparison.report_page import report_page
from mgld.constants import TAKEN_BYTES
from mgld.folders import WorkFolder
from mgld.video import Planned, VideoWriter, planned

COMPARISON = "Comparison, all layers labelled"
RESULT, LOSSLESS = "{} alone", "{} alone, without loss (FFV1)"
RECORD, PAGE = "Report as data", "Report as a page"
THUMBNAIL_PX = 160  # the longer side
ENCODERS = 2  # that work at once


@dataclass(frozen=True)
class Taken:
    """One file to take home: where it lies, what a person calls it, a small picture (WebP), and what it could not keep."""

    path: Path
    name: str
    thumbnail: bytes | None = None
    notes: tuple[str, ...] = ()


class Takeaway:
    """The files of one comparison in a folder of their own, which goes with this object; all of them also as one zip.

    archive is None where together they are larger than TAKEN_BYTES.
    """

    def __init__(self, outcome: Outcome, like: Takeaway | None = None) -> None:
        """Write the files, or copy those of another take-away of the same comparison."""
        self._outcome, self._lock = outcome, threading.Lock()
        work = WorkFolder("mgld-takeaway-")  # nothing from the request becomes a path
        self._folder, self._forget = work.path, weakref.finalize(self, work.close)
        self._lossless: list[Taken] = []
        self._files = write_files(self._folder, outcome) if like is None else like._copied(self._folder)
        self.archive = self._packed()

    @property
    def files(self) -> list[Taken]:
        return [*self._files, *self._lossless]

    def add_lossless(self) -> None:
        """Write every result without loss too; once."""
        with self._lock:
            if not self._lossless:
                self._lossless = write_lossless(self._folder, self._outcome)
                self.archive = self._packed()

    def move_line(self, line: Line) -> None:
        """Write the report again with the profile at this line."""
        with self._lock:
            again = {file.path: file for file in write_report(self._folder, self._outcome, line)}
            self._files = [again.get(file.path, file) for file in self._files]
            self.archive = self._packed()

    def _copied(self, folder: Path) -> list[Taken]:
        with self._lock:
            return [replace(file, path=Path(shutil.copy(file.path, folder))) for file in self._files]

    def _packed(self) -> Path | None:
        """Write the zip, file by file; videos and pictures are compressed already."""
        name = f"mgld-{_file_name(self._outcome.request.clip.stem)}"
        whole, part = self._folder / f"{name}.zip", self._folder / "part"
        if sum(file.path.stat().st_size for file in self.files) > TAKEN_BYTES:
            return None
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for file in self.files:
                archive.write(file.path, f"{name}/{file.path.name}")
        return part.replace(whole)


def write_files(folder: Path, outcome: Outcome) -> list[Taken]:
    """Write everything but the lossless videos into folder and return it, the comparison first; the report while encoders work."""
    videos = [("comparison.mp4", COMPARISON, labelled_grid(outcome.layers))]
    videos += [(f"{_file_name(n)}.mp4", RESULT.format(label_of(n)), outcome.layers[n]) for n in outcome.made]
    with ThreadPoolExecutor(ENCODERS) as pool:
        kept = planned(outcome.request.clip, ".mp4")
        written = [pool.submit(_video, folder / name, title, frames, outcome, kept) for name, title, frames in videos]
        report = write_report(folder, outcome, Line())
        return [*(video.result() for video in written), *report]


def write_report(folder: Path, outcome: Outcome, line: Line) -> list[Taken]:
    """Write the pictures, with the profile at this line, and the report as JSON and as one page."""
    pictures, files = report_pictures(outcome, line), []
    for name, (title, png) in pictures.items():
        (folder / f"{name}.png").write_bytes(png)
        drawn = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        files.append(Taken(folder / f"{name}.png", title, _thumbnail(drawn)))
    page, record = folder / "report.html", folder / "report.json"
    page.write_text(report_page(outcome, pictures), encoding="utf-8")
    record.write_text(json.dumps(outcome.record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return [*files, Taken(page, PAGE), Taken(record, RECORD)]


def write_lossless(folder: Path, outcome: Outcome) -> list[Taken]:
    """Write every result as FFV1 with the source's sound, exact to the bit."""
    files, kept = [], planned(outcome.request.clip, ".mkv")
    for name in outcome.made:
        path = folder / f"{_file_name(name)}-lossless.mkv"
        files.append(_video(path, LOSSLESS.format(label_of(name)), outcome.layers[name], outcome, kept, lossless=True))
    return files


def _video(
    path: Path, title: str, frames_u8: Sequence[np.ndarray], outcome: Outcome, kept: Planned, lossless: bool = False
) -> Taken:
    """Write frames with what is kept of the source beside its pictures."""
    start_s = outcome.request.start_s
    with VideoWriter(path, outcome.fps, audio_from=kept, start_s=start_s, lossless=lossless) as writer:
        for frame, time_s in zip(frames_u8, outcome.times_s, strict=True):
            writer.write(frame, time_s)
    return Taken(path, title, _thumbnail(frames_u8[len(frames_u8) // 2]), tuple(writer.notes))


def _thumbnail(rgb_u8: np.ndarray) -> bytes:
    """Return a small picture of u8 [h,w,3] as WebP."""
    scale = min(1.0, THUMBNAIL_PX / max(rgb_u8.shape[:2]))
    small = cv2.resize(rgb_u8, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".webp", np.ascontiguousarray(small[..., ::-1]), [cv2.IMWRITE_WEBP_QUALITY, 80])[1].tobytes()


def _file_name(layer: str) -> str:
    return "".join(c if c.isalnum() or c in "._" else "-" for c in layer)
