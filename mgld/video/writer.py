"""Frames → file: encoded in a process of its own, muxed with true times and the source's sound, renamed when whole."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import closing, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import imageio.v3 as iio
import imageio_ffmpeg
import numpy as np

from mgld import errors
from mgld.video.sound import Sound

TIME_BASE = Fraction(1, 90_000)
ENCODING_FPS = 25  # of the file before muxing; the true times replace it
TO_709 = "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd,format=yuv420p"
TO_709 += ",setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"  # the codec believes the frames
H264 = ["-vf", TO_709, "-crf", "16", "-preset", "medium"]
H264 += ["-bf", "0", "-g", "12"]  # no reordering, so that packets are frames in order; a key frame every 12 to seek to
GIF = ["-vf", "split[a][b];[a]palettegen=stats_mode=single:reserve_transparent=0[p];[b][p]paletteuse=new=1"]
VIDEO_SUFFIXES = {".mp4", ".mov", ".mkv"}
FAILURES = (OSError, ValueError, av.FFmpegError)


class VideoWriter:
    """Write frames with their times; the result appears under its name only when the `with` block ends well.

    .mp4 .mov .mkv: H.264 (yuv420p, BT.709) with the sound of audio_from, from start_s on; .gif;
    .mkv with lossless=True: FFV1, exact RGB; no suffix, or a slash at the end: a folder of PNG.
    """

    def __init__(
        self,
        path: Path | str,
        fps: float,
        audio_from: Path | None = None,
        start_s: float = 0.0,
        lossless: bool = False,
    ) -> None:
        # An absolute path cannot be taken for a protocol or an option by libav.
        self.path, self.fps, self.start_s, self.lossless = Path(path).absolute(), fps, start_s, lossless
        self.audio_from = Path(audio_from) if audio_from else None
        self._is_folder = self.path.suffix == "" or str(path).endswith(("/", os.sep)) or self.path.is_dir()
        self._suffix = "" if self._is_folder else self.path.suffix.lower()
        self._times_s: list[float] = []
        self._shape: tuple[int, ...] | None = None
        self._work: Path | None = None
        self._encoder: Generator | None = None
        self.notes: list[str] = []  # what a person should know of the result
        self._check()

    def __enter__(self) -> VideoWriter:
        try:
            self._work = Path(tempfile.mkdtemp(prefix=".mgld-", suffix=".part", dir=self.path.parent))
        except OSError as error:
            raise errors.output_failed(self.path, _reason(error)) from error
        return self

    def write(self, rgb_u8: np.ndarray, time_s: float) -> None:
        """Add one frame u8 [H,W,3] that is shown at time_s; raise ValueError if its size differs from the first."""
        if rgb_u8.dtype != np.uint8 or rgb_u8.ndim != 3 or rgb_u8.shape[2] != 3:
            raise ValueError(f"a frame is u8 [H,W,3], not {rgb_u8.dtype} {rgb_u8.shape}")
        if not math.isfinite(time_s):
            raise ValueError(f"a frame cannot be shown at {time_s} s")
        if self._shape not in (None, rgb_u8.shape):
            raise ValueError(f"frame {rgb_u8.shape} after frames {self._shape}")
        self._shape = rgb_u8.shape
        try:
            self._add(rgb_u8)
        except (OSError, StopIteration) as error:
            raise errors.output_failed(self.path, _reason(error)) from error
        self._times_s.append(time_s)

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self._finish()
        except FAILURES as failure:
            raise errors.output_failed(self.path, _reason(failure)) from failure
        finally:
            self._stop()
            shutil.rmtree(self._work, ignore_errors=True)

    def _check(self) -> None:
        """Refuse before any work is done what could not be written after it."""
        if not 0 < self.fps < math.inf:
            raise ValueError(f"fps is {self.fps}")
        if self._suffix not in {"", ".gif", *VIDEO_SUFFIXES}:
            raise errors.output_unknown(self.path)
        if self.lossless and self._suffix not in ("", ".mkv"):
            raise errors.output_failed(self.path, "lossless video needs a name that ends in .mkv, or a folder")
        if not self.path.parent.is_dir():
            raise errors.file_missing(self.path.parent)
        if self._is_folder and self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise errors.output_folder_used(self.path)

    def _add(self, rgb_u8: np.ndarray) -> None:
        if self._is_folder:
            iio.imwrite(self._work / f"{len(self._times_s):05d}.png", rgb_u8)
            return
        if self._suffix != ".gif" and not self.lossless:  # H.264 with halved chroma needs even sides
            height, width = rgb_u8.shape[:2]
            rgb_u8 = np.pad(rgb_u8, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
            if (height % 2 or width % 2) and not self.notes:
                self.notes.append(f"padded to even sides: {rgb_u8.shape[1]} x {rgb_u8.shape[0]} pixels")
        if self._encoder is None:
            self._encoder = self._start(*rgb_u8.shape[:2])
        self._encoder.send(np.ascontiguousarray(rgb_u8))

    @property
    def _encoded(self) -> Path:
        return self._work / ("encoded.gif" if self._suffix == ".gif" else "encoded.mkv")

    def _start(self, height: int, width: int) -> Generator:
        """Start ffmpeg; frames go in at a constant rate, their true times are set when muxing."""
        codec, pixels, options = "libx264", "yuv420p", H264
        if self._suffix == ".gif":
            codec, pixels, options = "gif", "pal8", GIF
        elif self.lossless:
            codec, pixels, options = "ffv1", "bgr0", ["-g", "1"]
        encoder = imageio_ffmpeg.write_frames(
            str(self._encoded), (width, height), fps=ENCODING_FPS, codec=codec, pix_fmt_out=pixels,
            output_params=list(options), macro_block_size=1, quality=None, ffmpeg_log_level="quiet",
        )  # fmt: skip
        encoder.send(None)
        return encoder

    def _stop(self) -> None:
        """End the encoder, however far it came; it may have died before."""
        with suppress(OSError, ValueError):
            if self._encoder is not None:
                self._encoder.close()

    def _finish(self) -> None:
        if not self._times_s:
            raise errors.no_frames()
        if self._is_folder:
            self._work.chmod(0o755)
            self._work.replace(self.path)
            return
        self._encoder.close()
        whole = self._work / ("whole" + self._suffix)
        self._mux(whole)
        whole.replace(self.path)

    def _mux(self, whole: Path) -> None:
        """Copy the encoded packets with their true times, and the sound beside them."""
        ticks = self._ticks()
        end_s = float(ticks[-1] * TIME_BASE)
        options = {"fflags": "+bitexact"}  # no random identifiers: the same frames give the same bytes
        if self._suffix in (".mp4", ".mov"):
            options["movflags"] = "+faststart"
        with av.open(str(self._encoded)) as encoded, av.open(str(whole), "w", options=options) as out:
            source = encoded.streams.video[0]
            stream = out.add_stream_from_template(source)
            stream.time_base = TIME_BASE
            wanted = None if self._suffix == ".gif" else self.audio_from
            sound = Sound(wanted, self.start_s, self.start_s + end_s, out, self._suffix)
            if sound.lost:
                self.notes.append("the sound of the source could not be read: the result is silent")
            packets = (packet for packet in encoded.demux(source) if packet.size)
            with closing(sound):
                for packet, tick, following in zip(packets, ticks[:-1], ticks[1:], strict=True):
                    sound.copy_until(float(tick * TIME_BASE))
                    packet.stream, packet.time_base = stream, TIME_BASE
                    packet.pts = packet.dts = tick
                    packet.duration = following - tick
                    out.mux(packet)
                sound.finish(end_s)

    def _ticks(self) -> list[int]:
        """Return when each frame appears, from 0 on, and when the last one ends, in TIME_BASE; always growing."""
        gaps_s = np.diff(self._times_s)
        last_s = float(np.median(gaps_s)) if len(gaps_s) else 1 / self.fps
        smallest = 1800 if self._suffix == ".gif" else 1  # browsers slow GIF frames under 20 ms down to 100 ms
        ticks = []
        for time_s in [*self._times_s, self._times_s[-1] + last_s]:
            tick = round((time_s - self._times_s[0]) / TIME_BASE)
            ticks.append(max(tick, ticks[-1] + smallest) if ticks else tick)
        return ticks


def _reason(error: BaseException) -> str:
    """Say what the system said; a pipe that broke or a file that is short means that the encoder died."""
    return getattr(error, "strerror", None) or "the encoder stopped; is the disk full?"
