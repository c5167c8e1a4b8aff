"""Untrusted file → checked frames: upright, square pixels, correct RGB, one at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import imageio.v3 as iio
import numpy as np

from mgld import errors
from mgld.settings import LIMITS

# Demuxers and protocols are allow-listed: a playlist renamed .mp4 would otherwise make libav open other files and hosts.
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mpegts"
PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}
OPEN_TIMEOUT_S = 10
HDR_TRANSFERS = {16: "PQ", 18: "HLG"}
WITH_ALPHA = ("rgba", "argb", "bgra", "abgr", "yuva", "gbrap", "ya", "pal8")
ATTACHED_PICTURE = 1024  # disposition bit: cover art, not video
PROBED_PACKETS = 50
TIMING_TOLERANCE = 0.1  # share of the frame interval by which a constant-rate file's timestamps may be rounded


@dataclass(frozen=True)
class Frame:
    """One picture, u8 [H,W,3], and its time since the first delivered frame."""

    rgb_u8: np.ndarray
    time_s: float


@dataclass(frozen=True)
class Probe:
    """What is known of a clip before it is decoded; sizes as they will be delivered, frame_count an estimate."""

    width: int
    height: int
    fps: float
    duration_s: float | None
    frame_count: int | None
    variable_rate: bool
    has_audio: bool
    notes: tuple[str, ...] = ()


def probe(path: Path | str) -> Probe:
    """Look at a clip's header and first frame; raise UserError if it cannot be used."""
    path = _existing(path)
    if path.is_dir():
        return _probe_folder(path)
    first = next(_decoded(path, 0.0), None)
    if first is None:
        raise errors.clip_unreadable(path)
    with _opened(path) as container:
        stream = _video_stream(container, path)
        times_s = _packet_times(container, stream)
        variable = _is_variable(times_s)
        fps = _frame_rate(stream, times_s)
        duration_s = _duration(container, stream)
        count = stream.frames or (round(duration_s * fps) if duration_s else None)
        rgb = _to_rgb(first, stream)
        return Probe(
            width=rgb.shape[1],
            height=rgb.shape[0],
            fps=fps,
            duration_s=duration_s,
            frame_count=count,
            variable_rate=variable,
            has_audio=bool(container.streams.audio),
            notes=tuple(_notes(first, stream, variable)),
        )


def read_frames(path: Path | str, start_s: float = 0.0, max_frames: int | None = None) -> Iterator[Frame]:
    """Yield frames from start_s on, at most max_frames; holds one frame at a time.

    A damaged file yields what decodes. Raises UserError if nothing does, or if the picture changes its size.
    """
    path = _existing(path)
    pictures = _folder_frames(path, start_s) if path.is_dir() else _file_frames(path, start_s)
    first_s, size = None, None
    for count, (rgb, time_s) in enumerate(pictures):
        if max_frames is not None and count >= max_frames:
            return
        first_s = time_s if first_s is None else first_s
        if size is not None and rgb.shape != size:
            raise errors.clip_changes_size(path)
        size = rgb.shape
        yield Frame(rgb, time_s - first_s)
    if size is None:
        raise errors.no_frames()


def _existing(path: Path | str) -> Path:
    path = Path(path)
    if not path.exists():
        raise errors.file_missing(path)
    if path.is_file() and path.stat().st_size == 0:
        raise errors.clip_empty(path)
    return path


def _opened(path: Path) -> av.container.InputContainer:
    """Open through a file object: a name is never interpreted as a protocol or an option."""
    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": ""}
    try:
        return av.open(path.open("rb"), options=options, timeout=OPEN_TIMEOUT_S)
    except (av.FFmpegError, ValueError, OSError) as error:
        raise errors.clip_unreadable(path) from error


def _video_stream(container: av.container.InputContainer, path: Path) -> av.video.stream.VideoStream:
    """Return the first real video stream, checked against the limits from its header alone."""
    if len(container.streams) > LIMITS.streams:
        raise errors.clip_unreadable(path)
    streams = [s for s in container.streams.video if not int(s.disposition) & ATTACHED_PICTURE]
    if not streams or streams[0].codec_context is None:
        raise errors.clip_without_video(path)
    stream = streams[0]
    _check_size(stream.codec_context.width, stream.codec_context.height)
    transfer = HDR_TRANSFERS.get(int(stream.codec_context.color_trc or 0))
    if transfer:
        raise errors.clip_hdr(transfer)
    stream.codec_context.thread_count = 1  # frame threads would hold a dozen decoded pictures each
    return stream


def _check_size(width: int, height: int) -> None:
    if min(width, height) < LIMITS.smallest_side_px:
        raise errors.clip_too_small(width, height)
    if width * height > LIMITS.largest_frame_px:
        raise errors.clip_too_large(width, height)
    if max(width, height) > LIMITS.widest_aspect * min(width, height):
        raise errors.clip_too_narrow(width, height)


def _file_frames(path: Path, start_s: float) -> Iterator[tuple[np.ndarray, float]]:
    with _opened(path) as container:
        stream = _video_stream(container, path)
        fps, origin_s, previous_s = _frame_rate(stream, []), None, None
        if start_s > 0:
            offset = (stream.start_time or 0) + round(start_s / stream.time_base)
            container.seek(offset, stream=stream)
        for frame in _packets(container, stream, path):
            start = float((stream.start_time or 0) * stream.time_base)
            time_s = frame.time - start if frame.time is not None else None
            if time_s is None:  # no timestamp: count on from the last one
                time_s = 0.0 if previous_s is None else previous_s + 1 / fps
            origin_s = time_s if origin_s is None else origin_s
            previous_s = time_s
            if time_s + 0.5 / fps >= start_s:
                yield _to_rgb(frame, stream), time_s


def _decoded(path: Path, start_s: float) -> Iterator[av.VideoFrame]:
    """Yield raw frames of a file for the probe."""
    with _opened(path) as container:
        yield from _packets(container, _video_stream(container, path), path)


def _packets(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream, path: Path
) -> Iterator[av.VideoFrame]:
    """Decode packet by packet, so that one broken packet costs only itself."""
    decoded, size = 0, None
    for packet in _readable(container, stream):
        try:
            frames = packet.decode()
        except (av.FFmpegError, ValueError):
            continue
        for frame in frames:
            if size is not None and (frame.width, frame.height) != size:
                raise errors.clip_changes_size(path)
            size = (frame.width, frame.height)
            if decoded == 0:
                _check_size(*size)
            decoded += 1
            yield frame
    if decoded == 0:
        raise errors.clip_unreadable(path)


def _readable(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> Iterator[av.Packet]:
    """Yield packets until the file ends or breaks off; the last, empty one flushes the decoder."""
    try:
        yield from container.demux(stream)
    except (av.FFmpegError, ValueError):
        flush = av.Packet()
        flush.stream = stream
        yield flush


def _to_rgb(frame: av.VideoFrame, stream: av.video.stream.VideoStream) -> np.ndarray:
    """Return u8 [H,W,3]: right matrix and range, black behind transparency, upright, square pixels."""
    rgb = _colours(frame)
    aspect = Fraction(stream.sample_aspect_ratio or 1) or Fraction(1)
    if aspect != 1:
        width = max(round(rgb.shape[1] * aspect), 1)
        rgb = cv2.resize(rgb, (width, rgb.shape[0]), interpolation=cv2.INTER_CUBIC)
        _check_size(width, rgb.shape[0])
    turns = round((frame.rotation or 0) / 90) % 4  # counter-clockwise quarter turns
    return np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb


def _colours(frame: av.VideoFrame) -> np.ndarray:
    if frame.format.name.startswith(WITH_ALPHA):
        rgba = frame.to_ndarray(format="rgba").astype(np.uint16)
        return ((rgba[..., :3] * rgba[..., 3:] + 127) // 255).astype(np.uint8)
    if frame.format.is_rgb or frame.format.name.startswith("gray"):
        return frame.to_ndarray(format="rgb24")
    # Files that do not say are 709 from 720 lines on and 601 below, as players assume.
    unknown = int(frame.colorspace) in (2, 0)
    matrix = ("ITU709" if frame.height >= 720 else "ITU601") if unknown else None
    full = int(frame.color_range) == 2 or frame.format.name.startswith("yuvj")
    return frame.reformat(
        format="rgb24", src_colorspace=matrix, src_color_range="JPEG" if full else "MPEG", dst_color_range="JPEG"
    ).to_ndarray()


def _packet_times(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> list[float]:
    """Return the first presentation times in order, seconds."""
    times = []
    for packet in _readable(container, stream):
        if packet.pts is not None:
            times.append(float(packet.pts * stream.time_base))
        if len(times) >= PROBED_PACKETS:
            return sorted(times)[:-4]  # the last few may still be out of order
    return sorted(times)


def _is_variable(times_s: list[float]) -> bool:
    gaps = np.diff(times_s)
    return len(gaps) > 1 and bool(np.abs(gaps - np.median(gaps)).max() > TIMING_TOLERANCE * np.median(gaps) + 2e-3)


def _frame_rate(stream: av.video.stream.VideoStream, times_s: list[float]) -> float:
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate
    if not rate and len(times_s) > 1:
        rate = (len(times_s) - 1) / max(times_s[-1] - times_s[0], 1e-6)
    return float(np.clip(float(rate or LIMITS.default_fps), 0.1, LIMITS.highest_fps))


def _duration(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> float | None:
    if stream.duration:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _notes(frame: av.VideoFrame, stream: av.video.stream.VideoStream, variable: bool) -> Iterator[str]:
    if frame.rotation:
        yield f"turned upright by {abs(frame.rotation)}°"
    if variable:
        yield "variable frame rate: the frames' own times are kept"
    if stream.sample_aspect_ratio not in (None, 0, 1):
        yield "stretched to square pixels"
    if frame.format.name.startswith(WITH_ALPHA) and frame.to_ndarray(format="rgba")[..., 3].min() < 255:
        yield "transparency is shown on black"
    if frame.interlaced_frame:
        yield "looks interlaced: results may show combing"


def _natural(path: Path) -> list[object]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name.lower())]


def _pictures(folder: Path) -> list[Path]:
    files = sorted((p for p in folder.iterdir() if p.suffix.lower() in PICTURES), key=_natural)
    if not files:
        raise errors.folder_without_pictures(folder)
    return files


def _read_picture(path: Path) -> np.ndarray:
    try:
        picture = iio.imread(path)
    except (OSError, ValueError, SyntaxError) as error:
        raise errors.clip_unreadable(path) from error
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=-1)
    if picture.dtype == np.uint16:
        picture = (picture // 257).astype(np.uint8)
    if picture.shape[-1] == 4:
        picture = ((picture[..., :3].astype(np.uint16) * picture[..., 3:] + 127) // 255).astype(np.uint8)
    _check_size(picture.shape[1], picture.shape[0])
    return np.ascontiguousarray(picture[..., :3])


def _folder_frames(folder: Path, start_s: float) -> Iterator[tuple[np.ndarray, float]]:
    fps = LIMITS.default_fps
    for i, path in enumerate(_pictures(folder)):
        if i >= round(start_s * fps):
            yield _read_picture(path), i / fps


def _probe_folder(folder: Path) -> Probe:
    files = _pictures(folder)
    height, width = _read_picture(files[0]).shape[:2]
    fps = LIMITS.default_fps
    return Probe(width, height, fps, len(files) / fps, len(files), False, False)
