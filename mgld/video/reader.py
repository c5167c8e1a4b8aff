"""Untrusted clip → checked frames: upright, square pixels, correct RGB, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from mgld import errors
from mgld.settings import LIMITS
from mgld.video import folder
from mgld.video.container import BROKEN, frame_rate, opened, raw_frames, readable, timed_frames, video_stream
from mgld.video.picture import display_matrix, is_transparent, pixel_aspect, to_rgb

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

    def frames_ahead(self, start_s: float, limit: int | None) -> int | None:
        """Return how many frames are to come from start_s on, as far as the file's header says, at most limit."""
        if self.frame_count is None:
            return limit
        ahead = max(self.frame_count - round(start_s * self.fps), 1)
        return min(ahead, limit) if limit else ahead


def probe(path: Path | str) -> Probe:
    """Look at a clip's header, first packets and first frame; raise UserError if it cannot be used."""
    path = _existing(path)
    if path.is_dir():
        return _probe_folder(path)
    with opened(path) as container:
        stream = video_stream(container, path)
        variable = _is_variable(_packet_times(container, stream))
        fps, duration_s = frame_rate(stream), _duration(container, stream)
        count = stream.frames or (round(duration_s * fps) if duration_s else None)
        sound = bool(container.streams.audio)
    with opened(path) as container:  # a second time: the first packets are gone, and not every file can be rewound
        stream = video_stream(container, path)
        frame = next(raw_frames(container, stream, path))
        matrix = display_matrix(frame)
        height, width = _checked_rgb(frame, stream, matrix, path).shape[:2]
        notes = tuple(_notes(frame, stream, matrix, variable, path.stat().st_size))
    return Probe(width, height, fps, duration_s, count, variable, sound, notes)


def read_frames(path: Path | str, start_s: float = 0.0, max_frames: int | None = None) -> Iterator[Frame]:
    """Yield the frames from start_s on (nearest first), at most max_frames; holds one frame at a time.

    A damaged file yields what decodes. Raises UserError if nothing does, or if the picture changes its size.
    """
    path = _existing(path)
    delivered, first_s, size = 0, 0.0, None
    pictures = folder.folder_frames(path, start_s) if path.is_dir() else _file_frames(path, start_s)
    while max_frames is None or delivered < max_frames:
        rgb, time_s = next(pictures, (None, 0.0))
        if rgb is None:
            break
        if delivered == 0:
            first_s, size = time_s, rgb.shape
        if rgb.shape != size:
            raise errors.clip_changes_size(path)
        yield Frame(rgb, time_s - first_s)
        delivered += 1
    if delivered == 0:
        raise errors.no_frames()


def _existing(path: Path | str) -> Path:
    path = Path(path)
    if not path.exists():
        raise errors.file_missing(path)
    if path.is_file() and path.stat().st_size == 0:
        raise errors.clip_empty(path)
    return path


def _file_frames(path: Path, start_s: float) -> Iterator[tuple[np.ndarray, float]]:
    """Yield (u8 [H,W,3], seconds); times always grow, and are counted on where the file gives none."""
    previous_s = matrix = None
    for frame, stream, stated_s in timed_frames(path, start_s):
        matrix = display_matrix(frame) if matrix is None else matrix
        interval_s = 1 / frame_rate(stream)
        time_s = 0.0 if stated_s is None else stated_s
        if previous_s is not None and (stated_s is None or stated_s <= previous_s):
            time_s = previous_s + interval_s
        previous_s = time_s
        if start_s <= 0 or time_s + interval_s / 2 >= start_s:
            yield _checked_rgb(frame, stream, matrix, path), time_s


def _checked_rgb(
    frame: av.VideoFrame, stream: av.video.stream.VideoStream, matrix: np.ndarray, path: Path
) -> np.ndarray:
    try:
        return to_rgb(frame, stream, matrix)
    except BROKEN as error:
        raise errors.clip_unreadable(path) from error


def _packet_times(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> list[float]:
    """Return the first presentation times in order, seconds."""
    times = []
    for packet in readable(container, stream):
        if packet.pts is not None:
            times.append(float(packet.pts * stream.time_base))
        if len(times) >= PROBED_PACKETS:
            return sorted(times)[:-4]  # the last few may still be out of order
    return sorted(times)


def _is_variable(times_s: list[float]) -> bool:
    """Say whether frame intervals differ by more than a container's rounding."""
    gaps = np.diff(times_s)
    return len(gaps) > 1 and bool(np.abs(gaps - np.median(gaps)).max() > TIMING_TOLERANCE * np.median(gaps) + 2e-3)


def _duration(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> float | None:
    if stream.duration and stream.duration > 0:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration and container.duration > 0 else None


def _lost_frames(stream: av.video.stream.VideoStream, file_size: int) -> int:
    """Count the frames that the index places behind the end of the file."""
    return sum(entry.pos + entry.size > file_size for entry in getattr(stream, "index_entries", ()))


def _notes(
    frame: av.VideoFrame, stream: av.video.stream.VideoStream, matrix: np.ndarray, variable: bool, file_size: int
) -> Iterator[str]:
    if np.linalg.det(matrix) < 0:
        yield "mirrored, as the file asks"
    elif frame.rotation:
        yield f"turned upright by {abs(frame.rotation)}°"
    if lost := _lost_frames(stream, file_size):
        yield f"the file is cut off: {stream.frames - lost} of {stream.frames} frames are there"
    if variable:
        yield "variable frame rate: the frames' own times are kept"
    if round(frame.width * pixel_aspect(stream)) != frame.width:
        yield "stretched to square pixels"
    if is_transparent(frame):
        yield "transparency removed: shown on black"
    if frame.interlaced_frame:
        yield "looks interlaced: results may show combing"
    if not stream.average_rate:
        yield f"the file states no frame rate: {LIMITS.default_fps:g} frames per second assumed"


def _probe_folder(path: Path) -> Probe:
    files = folder.pictures(path)
    height, width = folder.read_picture(files[0]).shape[:2]
    fps = LIMITS.default_fps
    return Probe(width, height, fps, len(files) / fps, len(files), variable_rate=False, has_audio=False)
