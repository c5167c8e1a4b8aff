"""Frames → file: encoded in a process of its own, muxed with true times and the source's sound, renamed when whole."""

from __future__ import annotations

import math
import os
import shutil
from collections import deque
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType

import av
import imageio.v3 as iio
import numpy as np

from mgld import errors
from mgld.errors import UserError
from mgld.folders import WorkFolder
from mgld.video import refusals
from mgld.video.encoder import SILENT_END, FrameEncoder
from mgld.video.folder import write_times
from mgld.video.mux import FORMATS, GIF_SHORTEST, GIF_TICK, LONGEST_TICKS, TIME_BASE, MuxJob, mux
from mgld.video.sandbox import ask
from mgld.video.sound import CHANGED, SILENT, WAYS

GIF_ENCODING_FPS = 25  # of the file before muxing; the true times replace it
TO_709 = "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd,format=yuv420p"
TO_709 += ",setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"  # the codec believes the frames
H264 = ["-vf", TO_709, "-crf", "16"]
H264 += ["-bf", "0", "-g", "12"]  # no reordering, so that packets are frames in order; a key frame every 12 to seek to
KEPT, LOOKED_AT = "medium", "veryfast"  # x264's presets: a third of the seconds for a decibel less at 40, no more bytes
GIF = ["-vf", "split[a][b];[a]palettegen=stats_mode=single:reserve_transparent=0[p];[b][p]paletteuse=new=1"]
TOO_FAST = "a GIF shows at most 50 frames per second: {} of {} frames are left out"
NO_SOUND = "the sound of the source could not be read: the result is silent"
# Bytes per pixel that a result takes at worst: noise is no smaller than raw, a GIF has 12 bits for a pixel, and H.264 stays
# below 60 Mbit/s for 1080p at 25 frames per second at this quality.
WORST_LOSSLESS, WORST_GIF, WORST_H264 = 3.0, 1.5, 0.15
FAILURES = (OSError, ValueError, av.FFmpegError)


@dataclass(frozen=True)
class Planned:
    """What results of one suffix can keep of a source: the way of its sound, None where that cannot be read; and what to say."""

    source: Path
    way: str | None
    notes: list[str]


def planned(source: Path, suffix: str) -> Planned:
    """Find out what results of one kind can keep of a source; several may share the answer, which costs a process."""
    try:
        with closing(ask("plan", source, suffix=suffix)) as answers:
            told, _ = next(answers)
    except UserError:
        return Planned(source, None, [NO_SOUND])
    return Planned(source, told["way"] if told["way"] in WAYS else SILENT, list(map(str, told["notes"])))


class VideoWriter:
    """Write frames with their times; the result appears under its name only when the `with` block ends well.

    .mp4 .mov .mkv: H.264 (yuv420p, BT.709); .gif; .mkv with lossless=True: FFV1, exact RGB; no suffix, or a slash at
    the end: a folder of PNG, and their times. What audio_from carries beside its pictures is kept from start_s on as
    far as the container can: sound, subtitles, chapters, title, how long the last picture is held, how often it plays;
    where several results of one suffix keep it, it is `planned` for all.
    preset is x264's; LOOKED_AT is for what somebody waits to see and nobody keeps.
    """

    def __init__(
        self,
        path: Path | str,
        fps: float,
        audio_from: Path | Planned | None = None,
        start_s: float = 0.0,
        lossless: bool = False,
        preset: str = KEPT,
    ) -> None:
        # An absolute path cannot be taken for a protocol or an option by libav.
        self.path, self.fps, self.start_s, self.lossless = Path(path).absolute(), fps, start_s, lossless
        self._preset = preset
        self._audio_from: Path | Planned | None = audio_from
        self._source: Path | None = None
        self._way = SILENT
        self._is_folder = self.path.suffix == "" or str(path).endswith(("/", os.sep)) or self.path.is_dir()
        self._suffix = "" if self._is_folder else self.path.suffix.lower()
        self._times_s: list[float] = []  # of all frames
        self._ticks: list[int] = []  # when those appear that are written, from 0 on, in TIME_BASE; always growing
        self._shape: tuple[int, ...] | None = None
        self._work: Path  # from __enter__ on, as the folder that is its own
        self._folder: WorkFolder
        self._encoder: FrameEncoder | None = None
        self.notes: list[str] = []  # what a person should know of the result; some of it once the block is entered
        self._check()

    def __enter__(self) -> VideoWriter:
        with ExitStack() as interrupted:
            try:
                self._folder = WorkFolder(".mgld-", ".part", self.path.parent)
                interrupted.callback(self._folder.close)
                self._work = self._folder.path / "result"
                self._work.mkdir()
            except OSError as error:
                raise errors.output_failed(self.path, _reason(error)) from error
            self._plan()
            interrupted.pop_all()  # from here on, __exit__ closes it
        return self

    def _plan(self) -> None:
        """Find out before the work what of the source can be kept."""
        found = self._audio_from
        if found is None:
            return
        found = found if isinstance(found, Planned) else planned(Path(found), self._suffix)
        if found.way is not None:
            self._source, self._way = found.source, found.way
        self.notes += found.notes

    def check_room(self, frames: int, height: int, width: int) -> None:
        """Refuse before the work what the disk may not hold after it: frames of so many pixels, twice while they are muxed."""
        worst = WORST_LOSSLESS if self.lossless or self._is_folder else WORST_H264
        worst = WORST_GIF if self._suffix == ".gif" else worst
        check_disk(self.path.parent, frames * height * width * worst * (1 if self._is_folder else 2))

    def write(self, rgb_u8: np.ndarray, time_s: float) -> None:
        """Add one frame u8 [H,W,3] that is shown at time_s; raise ValueError if its size differs from the first.

        A GIF leaves out what would come too soon after the last one that it shows: its time stays true.
        """
        if rgb_u8.dtype != np.uint8 or rgb_u8.ndim != 3 or rgb_u8.shape[2] != 3:
            raise ValueError(f"a frame is u8 [H,W,3], not {rgb_u8.dtype} {rgb_u8.shape}")
        if not math.isfinite(time_s):
            raise ValueError(f"a frame cannot be shown at {time_s} s")
        if self._shape not in (None, rgb_u8.shape):
            raise ValueError(f"frame {rgb_u8.shape} after frames {self._shape}")
        self._shape = rgb_u8.shape
        self._times_s.append(time_s)
        tick = self._tick(time_s)
        if self._suffix == ".gif" and self._ticks and tick - self._ticks[-1] < GIF_SHORTEST:
            return
        try:
            self._add(rgb_u8)
        except OSError as error:
            raise errors.output_failed(self.path, _reason(error)) from error
        self._ticks.append(self._after_last(tick) if self._ticks else 0)

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self._finish()
        except FAILURES as failure:
            raise errors.output_failed(self.path, _reason(failure)) from failure
        finally:
            if self._encoder is not None:
                self._encoder.stop()
            self._folder.close()

    def _check(self) -> None:
        """Refuse before any work is done what could not be written after it."""
        if not 0 < self.fps < math.inf:
            raise ValueError(f"fps is {self.fps}")
        if self._suffix not in {"", ".gif", *FORMATS}:
            raise refusals.output_unknown(self.path)
        if self.lossless and self._suffix not in ("", ".mkv"):
            raise errors.output_failed(self.path, "lossless video needs a name that ends in .mkv, or a folder")
        if not self.path.parent.is_dir():
            raise errors.file_missing(self.path.parent)
        if self._is_folder and self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise errors.output_folder_used(self.path)

    def _add(self, rgb_u8: np.ndarray) -> None:
        if self._is_folder:
            iio.imwrite(self._work / f"{len(self._ticks):05d}.png", rgb_u8)
            return
        if self._suffix != ".gif" and not self.lossless:  # H.264 with halved chroma needs even sides
            height, width = rgb_u8.shape[:2]
            rgb_u8 = np.pad(rgb_u8, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
            if (height % 2 or width % 2) and not self.notes:
                self.notes.append(f"padded to even sides: {rgb_u8.shape[1]} x {rgb_u8.shape[0]} pixels")
        if self._encoder is None:
            self._encoder = self._start(*rgb_u8.shape[:2])
        self._encoder.write(rgb_u8)

    @property
    def _encoded(self) -> Path:
        return self._work / ("encoded.gif" if self._suffix == ".gif" else "encoded.mkv")

    def _start(self, height: int, width: int) -> FrameEncoder:
        """Start ffmpeg; frames go in at a constant rate, their true times are set when muxing."""
        codec, pixels, options, fps = "libx264", "yuv420p", [*H264, "-preset", self._preset], self.fps
        if self._suffix == ".gif":
            codec, pixels, options, fps = "gif", "pal8", GIF, GIF_ENCODING_FPS
        elif self.lossless:
            codec, pixels, options = "ffv1", "bgr0", ["-g", "1"]
        return FrameEncoder(self._encoded, height, width, fps, ["-vcodec", codec, "-pix_fmt", pixels, *options])

    def _finish(self) -> None:
        if not self._times_s:
            raise errors.no_frames()
        if self._is_folder:
            write_times(self._work, self._times_s)
            self._work.replace(self.path)
            return
        assert self._encoder is not None  # the first frame started it
        self._encoder.finish()
        if len(self._ticks) < len(self._times_s):
            self.notes.append(TOO_FAST.format(len(self._times_s) - len(self._ticks), len(self._times_s)))
        whole = self._work / ("whole" + self._suffix)
        self._mux(whole)
        whole.replace(self.path)

    def _mux(self, whole: Path) -> None:
        """Give the pictures their times and the source's sound; sound that cannot be muxed never costs the pictures."""
        last_s = self._times_s[-1] - self._times_s[0]
        tail = round(last_s / TIME_BASE) - self._ticks[-1] if self._suffix == ".gif" else 0
        ticks = [*self._ticks, self._end()]
        job = MuxJob(str(self._encoded), str(whole), ticks, last_s, 1 / self.fps, self.start_s, self._way, tail)
        if self._source and self._muxed_with(self._source, job):
            return
        deque(mux(None, job), maxlen=0)
        self.notes += [NO_SOUND] if self._source else []

    def _muxed_with(self, source: Path, job: MuxJob) -> bool:
        """Keep the source's sound in the best way that works; say whether one did."""
        for way in WAYS[WAYS.index(self._way) :]:
            try:
                self.notes += _muxed(source, replace(job, way=way))
            except (OSError, UserError):
                continue
            self.notes += [CHANGED[way]] if way != self._way else []
            return True
        return False

    def _tick(self, time_s: float) -> int:
        """Return the moment, in TIME_BASE from the first frame on, as fine as the file can tell it."""
        finest = GIF_TICK if self._suffix == ".gif" else 1
        return finest * round((time_s - self._times_s[0]) / TIME_BASE / finest)

    def _after_last(self, tick: int) -> int:
        """Return a moment as it can come after the last frame that is written."""
        smallest = GIF_SHORTEST if self._suffix == ".gif" else 1
        return min(max(tick, self._ticks[-1] + smallest), self._ticks[-1] + LONGEST_TICKS)

    def _end(self) -> int:
        """Return when the last frame ends: it is shown as long as most are."""
        gaps_s = np.diff(self._times_s)
        return self._after_last(
            self._tick(self._times_s[-1] + (float(np.median(gaps_s)) if len(gaps_s) else 1 / self.fps))
        )


def check_disk(folder: Path, needed_bytes: float) -> None:
    """Refuse work for which a folder's disk is too full."""
    free = shutil.disk_usage(folder).free
    if needed_bytes > free:
        raise refusals.disk_short(needed_bytes, free)


def _muxed(source: Path, job: MuxJob) -> list[str]:
    """Let the child mux; return what is to be said; raise OSError if it failed, UserError if it died."""
    notes: list[str] = []
    with closing(ask("mux", source, job=asdict(job))) as answers:
        for told, _ in answers:
            if "failed" in told:
                raise OSError(0, told["failed"])
            notes = list(map(str, told["notes"]))
    return notes


def _reason(error: BaseException) -> str:
    """Say in one line what the system, the encoder or a library said."""
    return getattr(error, "strerror", None) or str(error).partition("\n")[0] or SILENT_END
