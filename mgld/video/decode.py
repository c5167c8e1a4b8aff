"""The decoding process's side: untrusted clip → checked frames: upright, square pixels, correct RGB, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import numpy as np

from mgld import errors
from mgld.constants import LIMITS
from mgld.video import animation, folder, gamut, refusals
from mgld.video.clip import DEEP, FILE_RATE_ASSUMED, INTERLACED, ON_BLACK, RATE_ASSUMED, VARIABLE, Frame, Probe
from mgld.video.container import (
    BROKEN,
    check_size,
    frame_rate,
    opened,
    raw_frames,
    readable,
    stated_rate,
    timed_frames,
    video_stream,
)
from mgld.video.damage import Damage
from mgld.video.deinterlace import whole_frames
from mgld.video.picture import bits_per_colour, display_matrix, is_transparent, square_width, to_rgb
from mgld.video.start import from_start

PROBED_PACKETS = 50
TIMING_TOLERANCE = 0.1  # share of the frame interval by which a constant-rate file's timestamps may be rounded
FEW_GAPS = 3  # of an animation, that are looked at before its rate is called variable

Pictures = Iterator[tuple[np.ndarray, float]]


def probe(path: Path, fps: float | None = None) -> Probe:
    """Look at a clip's header, first packets and first frame; raise UserError if it cannot be used."""
    _check_there(path)
    if path.is_dir():
        return _probe_folder(path, fps)
    if _is_animation(path):
        return _probe_animation(path)
    with opened(path) as container:
        stream = video_stream(container, path)
        variable = _is_variable(_packet_times(container, stream))
        rate, duration_s = frame_rate(stream), _duration(container, stream)
        count = stream.frames or _counted(duration_s, rate, path.stat().st_size)
        sound = bool(container.streams.audio)
    with opened(path) as container:  # a second time: the first packets are gone, and not every file can be rewound
        stream = video_stream(container, path)
        frame = next(raw_frames(container, stream, path))
        matrix = display_matrix(frame)
        height, width = _checked_rgb(frame, stream, matrix, path).shape[:2]
        notes = tuple(_notes(frame, stream, matrix, variable, path.stat().st_size))
    return Probe(width, height, rate, duration_s, count, variable, sound, notes, bool(frame.interlaced_frame))


def frames(
    path: Path,
    start_s: float = 0.0,
    max_frames: int | None = None,
    fps: float | None = None,
    deinterlace: bool = False,
    notes: list[str] | None = None,
) -> Iterator[Frame]:
    """Yield the frames from start_s on (nearest first), at most max_frames; holds one frame at a time.

    A damaged file yields what decodes, and a note at the end. Raises UserError if nothing does, or if the picture
    changes its size.
    """
    _check_there(path)
    damage, first_s, size = Damage(), None, None
    for rgb, time_s in islice(_pictures(path, start_s, fps, deinterlace, damage), max_frames):
        if first_s is None:
            first_s, size = time_s, rgb.shape
        if rgb.shape != size:
            raise refusals.clip_changes_size(path)
        yield Frame(rgb, time_s - first_s)
    if first_s is None:
        raise errors.no_frames()
    if notes is not None:
        notes += damage.notes(first_s)


def _check_there(path: Path) -> None:
    if not path.exists():
        raise errors.file_missing(path)
    if path.is_file() and path.stat().st_size == 0:
        raise refusals.clip_empty(path)


def _is_animation(path: Path) -> bool:
    return path.is_file() and animation.kind(path) in animation.READ_HERE


def _pictures(path: Path, start_s: float, fps: float | None, deinterlace: bool, damage: Damage) -> Pictures:
    """Yield (u8 [H,W,3], seconds) of whatever kind of clip it is."""
    if path.is_dir():
        return folder.frames(path, start_s, fps)
    if _is_animation(path):
        return from_start((picture[:3] for picture in animation.frames(path, damage)), start_s)
    return _file_frames(path, start_s, deinterlace, damage)


def _file_frames(path: Path, start_s: float, deinterlace: bool, damage: Damage) -> Pictures:
    """Yield (u8 [H,W,3], seconds) from the frame that is on screen at start_s."""
    matrix = None
    timed = _growing(path, start_s, deinterlace, damage)
    for (frame, stream), time_s in from_start(timed, start_s):
        if matrix is None:
            matrix = display_matrix(frame)
            if start_s > 0:
                damage.forget()
        yield _checked_rgb(frame, stream, matrix, path), time_s


def _growing(
    path: Path, start_s: float, deinterlace: bool, damage: Damage
) -> Iterator[tuple[tuple[av.VideoFrame, av.video.stream.VideoStream], float, float]]:
    """Yield ((frame, stream), begin, end); times always grow, and are counted on where the file gives none."""
    previous_s = None
    for frame, stream, stated_s in timed_frames(path, start_s, damage, whole_frames if deinterlace else None):
        interval_s = 1 / frame_rate(stream)
        time_s = 0.0 if stated_s is None else stated_s
        if previous_s is not None and (stated_s is None or stated_s <= previous_s):
            time_s = previous_s + interval_s
        previous_s = time_s
        held_s = float((frame.duration or 0) * (frame.time_base or 0))
        yield (frame, stream), time_s, time_s + (held_s or interval_s)


def _checked_rgb(
    frame: av.VideoFrame, stream: av.video.stream.VideoStream, matrix: np.ndarray, path: Path
) -> np.ndarray:
    check_size(path, square_width(frame, stream), frame.height)  # before it is stretched
    try:
        return to_rgb(frame, stream, matrix)
    except BROKEN as error:
        raise refusals.clip_unreadable(path) from error


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


def _counted(duration_s: float | None, rate: float, file_size: int) -> int | None:
    """Return how many frames a duration comes to; it may be a lie, but no frame is shorter than a byte."""
    return min(round(duration_s * rate), file_size) if duration_s else None


def _duration(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> float | None:
    if stream.duration and stream.duration > 0:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration and container.duration > 0 else None


def _cut_off(stream: av.video.stream.VideoStream, file_size: int) -> tuple[int, int]:
    """Count the frames of the index, and those of them that it places behind the end of the file."""
    entries = getattr(stream, "index_entries", ())
    return stream.frames or len(entries), sum(entry.pos + entry.size > file_size for entry in entries)


def _notes(
    frame: av.VideoFrame, stream: av.video.stream.VideoStream, matrix: np.ndarray, variable: bool, file_size: int
) -> Iterator[str]:
    if np.linalg.det(matrix) < 0:
        yield "mirrored, as the file asks"
    elif frame.rotation % 90:
        yield f"the file asks to be turned by {abs(frame.rotation)}°: turned to the nearest quarter"
    elif frame.rotation:
        yield f"turned upright by {abs(frame.rotation)}°"
    known, lost = _cut_off(stream, file_size)
    if lost:
        yield f"the file is cut off: {known - lost} of {known} frames are there"
    if variable:
        yield VARIABLE
    if square_width(frame, stream) != frame.width:
        yield "stretched to square pixels"
    if is_transparent(frame):
        yield ON_BLACK
    if (bits := bits_per_colour(frame)) > 8:
        yield DEEP.format(bits)
    if told := gamut.note(int(frame.color_primaries)):
        yield told
    if frame.interlaced_frame:
        yield INTERLACED
    if not stated_rate(stream):
        yield FILE_RATE_ASSUMED


def _probe_animation(path: Path) -> Probe:
    pictures = list(islice(animation.frames(path), FEW_GAPS + 1))
    (height, width), begins_s = pictures[0][0].shape[:2], [begin_s for _, begin_s, _, _ in pictures]
    rate = float(np.clip(len(pictures) / pictures[-1][2], LIMITS.lowest_fps, LIMITS.highest_fps))
    variable, count = _is_variable([*begins_s, pictures[-1][2]]), animation.count(path)
    notes = [ON_BLACK] if any(shines for *_, shines in pictures) else []
    notes += [VARIABLE] if variable else []
    return Probe(width, height, rate, count / rate, count, variable, has_audio=False, notes=tuple(notes))


def _probe_folder(path: Path, fps: float | None) -> Probe:
    files = folder.pictures(path)
    height, width = folder.read_picture(files[0]).shape[:2]
    times = folder.times_s(path, len(files), fps)
    gap_s = float(np.median(np.diff(times))) if len(files) > 1 else 1 / (fps or LIMITS.default_fps)
    rate = float(np.clip(1 / gap_s, LIMITS.lowest_fps, LIMITS.highest_fps))
    notes = tuple(_folder_notes(path, files, fps))
    return Probe(width, height, rate, times[-1] + gap_s, len(files), _is_variable(times), False, notes)


def _folder_notes(path: folder.Folder, files: list[folder.Picture], fps: float | None) -> Iterator[str]:
    stated = folder.stated_times_s(path)
    if fps is None and stated is not None and len(stated) != len(files):
        yield f"{folder.TIMES} states {len(stated)} times for {len(files)} frames, and is not used"
    if fps is None and (stated is None or len(stated) != len(files)):
        yield RATE_ASSUMED
    if (bits := folder.bits_per_colour(files[0])) > 8:
        yield DEEP.format(bits)
