"""Frames → file: encoded in a process of its own, muxed with true times and the source's sound, renamed when whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import imageio.v3 as iio
import imageio_ffmpeg
import numpy as np

from mgld import errors
from mgld.errors import UserError

TIME_BASE = Fraction(1, 90_000)
KEYFRAME_EVERY = 12
H264 = ["-crf", "16", "-preset", "medium", "-bf", "0", "-g", str(KEYFRAME_EVERY)]
BT709 = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"]
MP4_SOUND = {"aac", "mp3", "ac3", "alac"}  # what players accept inside MP4 and MOV without being asked
VIDEO_SUFFIXES = {".mp4", ".mov", ".mkv"}


class VideoWriter:
    """Write frames with their times; the file appears under its name only when the `with` block ends well.

    .mp4 .mov .mkv: H.264 (yuv420p, BT.709) with the sound of audio_from from start_s on; .mkv with lossless=True: FFV1, exact RGB;
    .gif; no suffix: a folder of PNG.
    """

    def __init__(
        self, path: Path | str, fps: float, audio_from: Path | None = None, start_s: float = 0.0, lossless: bool = False
    ) -> None:
        self.path, self.fps, self.audio_from, self.start_s = Path(path), fps, audio_from, start_s
        self.lossless = lossless
        self._times_s: list[float] = []
        self._size: tuple[int, ...] | None = None
        self._check()
        self._work = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.", suffix=".part", dir=self.path.parent))
        self._encoder = None

    def __enter__(self) -> VideoWriter:
        return self

    def write(self, rgb_u8: np.ndarray, time_s: float) -> None:
        """Add one frame u8 [H,W,3] that is shown at time_s; raise ValueError if its size differs from the first."""
        if self._size not in (None, rgb_u8.shape):
            raise ValueError(f"frame {rgb_u8.shape} after frames {self._size}")
        self._size = rgb_u8.shape
        self._times_s.append(time_s)
        try:
            self._add(rgb_u8)
        except OSError as error:
            raise errors.output_failed(self.path, _reason(error)) from error

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None and self._times_s:
                self._finish()
            elif self._encoder is not None:
                self._encoder.close()
        except (OSError, av.FFmpegError) as failure:
            raise errors.output_failed(self.path, _reason(failure)) from failure
        finally:
            shutil.rmtree(self._work, ignore_errors=True)

    @property
    def _is_folder(self) -> bool:
        return self.path.suffix == ""

    def _check(self) -> None:
        suffix = self.path.suffix.lower()
        if not self._is_folder and suffix not in {*VIDEO_SUFFIXES, ".gif"}:
            raise errors.output_unknown(self.path)
        if self.lossless and suffix not in ("", ".mkv"):
            raise errors.output_failed(self.path, "lossless video needs a name that ends in .mkv, or a folder")
        if not self.path.parent.is_dir():
            raise errors.file_missing(self.path.parent)
        if self._is_folder and self.path.exists() and (self.path.is_file() or any(self.path.iterdir())):
            raise errors.output_folder_used(self.path)

    def _add(self, rgb_u8: np.ndarray) -> None:
        if self._is_folder:
            iio.imwrite(self._work / f"{len(self._times_s) - 1:05d}.png", rgb_u8)
        elif self.path.suffix.lower() == ".gif":
            if self._encoder is None:
                self._encoder = _GifFrames(self._work)
            self._encoder.send(rgb_u8)
        else:
            if self._encoder is None:
                self._encoder = self._start(rgb_u8.shape[1], rgb_u8.shape[0])
            self._encoder.send(np.ascontiguousarray(rgb_u8))

    @property
    def _silent(self) -> Path:
        return self._work / "silent.mkv"

    def _start(self, width: int, height: int) -> Iterator[None]:
        """Start ffmpeg; frames go in at a constant rate, their true times are set when muxing."""
        even = f"pad=ceil(iw/2)*2:ceil(ih/2)*2,fillborders=right={width % 2}:bottom={height % 2}:mode=smear,"
        to_709 = (
            f"{even if width % 2 or height % 2 else ''}scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd"
        )
        codec, pixels = ("ffv1", "bgr0") if self.lossless else ("libx264", "yuv420p")
        options = ["-g", "1"] if self.lossless else ["-vf", to_709, *H264, *BT709]
        encoder = imageio_ffmpeg.write_frames(
            str(self._silent), (width, height), fps=25, codec=codec, pix_fmt_out=pixels, output_params=options,
            macro_block_size=1, quality=None, ffmpeg_log_level="error",
        )  # fmt: skip
        encoder.send(None)
        return encoder

    def _finish(self) -> None:
        part = self._work / ("whole" + self.path.suffix.lower())
        if self._is_folder:
            if self.path.exists():
                self.path.rmdir()
            self._work.replace(self.path)
            self.path.chmod(0o755)
            return
        self._encoder.close()
        if self.path.suffix.lower() == ".gif":
            self._encoder.join(part, self._durations_s())
        else:
            self._mux(part)
        part.replace(self.path)

    def _durations_s(self) -> list[float]:
        """How long each frame is shown; the last one as long as the median."""
        gaps = np.diff(self._times_s).tolist()
        return [*gaps, float(np.median(gaps)) if gaps else 1 / self.fps]

    def _mux(self, part: Path) -> None:
        """Copy the encoded packets with their true times, and the sound beside them."""
        durations_s = self._durations_s()
        end_s = self._times_s[-1] + durations_s[-1]
        options = {"movflags": "+faststart"} if part.suffix in (".mp4", ".mov") else {}
        with av.open(str(self._silent)) as silent, av.open(str(part), "w", options=options) as out:
            source = silent.streams.video[0]
            stream = out.add_stream_from_template(source)
            stream.time_base = TIME_BASE
            sound = _Sound(self.audio_from, self.start_s, end_s, out, part.suffix) if self.audio_from else None
            packets = (p for p in silent.demux(source) if p.size)
            for packet, time_s, duration_s in zip(packets, self._times_s, durations_s, strict=True):
                if sound:
                    sound.copy_until(time_s)
                packet.stream, packet.time_base = stream, TIME_BASE
                packet.pts = packet.dts = round(time_s / TIME_BASE)
                packet.duration = round(duration_s / TIME_BASE)
                out.mux(packet)
            if sound:
                sound.copy_until(end_s)
                sound.close()


class _GifFrames:
    """Keep GIF frames on disk until all times are known."""

    def __init__(self, work: Path) -> None:
        self._work, self._count = work, 0

    def send(self, rgb_u8: np.ndarray) -> None:
        iio.imwrite(self._work / f"{self._count:05d}.png", rgb_u8)
        self._count += 1

    def close(self) -> None:
        """Nothing runs in the background."""

    def join(self, part: Path, durations_s: list[float]) -> None:
        """Write the GIF; a GIF counts time in hundredths of a second."""
        frames = [iio.imread(self._work / f"{i:05d}.png") for i in range(self._count)]
        iio.imwrite(part, frames, extension=".gif", duration=[max(round(d * 100), 1) * 10 for d in durations_s], loop=0)


class _Sound:
    """Copy the default audio track between two times; transcode it to AAC where the container could not play it."""

    def __init__(
        self, source: Path, start_s: float, end_s: float, out: av.container.OutputContainer, suffix: str
    ) -> None:
        self._packets: Iterator = iter(())
        self._held, self._out, self._start_s, self._end_s = None, out, start_s, start_s + end_s
        self._container = self._stream = self._encoder = None
        if not source.is_file():
            return
        try:
            self._container = av.open(source.open("rb"))
        except (av.FFmpegError, ValueError):
            return  # a GIF or a damaged file: there is no sound to keep
        if not self._container.streams.audio:
            return
        track = self._container.streams.audio[0]
        if suffix == ".mkv" or track.codec_context.name in MP4_SOUND:
            self._stream = out.add_stream_from_template(track)
        else:
            self._stream = self._encoder = out.add_stream("aac", rate=track.codec_context.sample_rate)
        if start_s > 0:
            self._container.seek(round(start_s * av.time_base))
        self._packets = self._timed(track)

    def _timed(self, track) -> Iterator[tuple[float, av.Packet]]:
        """Yield (time, packet) inside the wanted span, times counted from the video's first frame."""
        for packet in self._container.demux(track):
            if packet.pts is None:
                continue
            time_s = float(packet.pts * packet.time_base)
            if self._start_s - 1e-3 <= time_s < self._end_s:
                yield time_s - self._start_s, packet

    def copy_until(self, time_s: float) -> None:
        """Mux sound up to a time, so that the file is interleaved."""
        while True:
            self._held = self._held or next(self._packets, None)
            if self._held is None or self._held[0] > time_s:
                return
            self._put(*self._held)
            self._held = None

    def _put(self, time_s: float, packet: av.Packet) -> None:
        shift = round(self._start_s / packet.time_base)
        if self._encoder is None:
            packet.stream = self._stream
            packet.pts -= shift
            packet.dts = packet.pts
            self._out.mux(packet)
            return
        for frame in packet.decode():
            frame.pts = None  # the encoder counts samples itself
            self._out.mux(self._encoder.encode(frame))

    def close(self) -> None:
        """Flush the encoder and let the source go."""
        if self._encoder is not None:
            self._out.mux(self._encoder.encode(None))
        if self._container is not None:
            self._container.close()


def _reason(error: BaseException) -> str:
    if isinstance(error, UserError):
        return str(error)
    return getattr(error, "strerror", None) or "the encoder stopped; is the disk full?"
