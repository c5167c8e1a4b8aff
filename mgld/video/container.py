"""Untrusted file → raw frames in order, each with its time; refused if it is over the limits or not a video."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np

from mgld.constants import LIMITS
from mgld.errors import UserError
from mgld.video import kinds, refusals
from mgld.video.damage import Damage

# Demuxers and protocols are allow-listed: a playlist renamed .mp4 would make libav open other files and hosts.
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mpegts,mpeg,asf,flv,ogg,dv"
OPEN_TIMEOUT_S = 10
HDR_TRANSFERS = {16: "PQ", 18: "HLG"}
ATTACHED_PICTURE = 1024  # disposition bit: cover art, not video
# PyAV 19 replaces what is no UTF-8 in titles by itself, and no longer takes the option.
TOLERANT = {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "replace"}
Timed = tuple[av.VideoFrame, av.video.stream.VideoStream, float | None]
Filter = Callable[[Iterator[av.VideoFrame], av.video.stream.VideoStream], Iterator[av.VideoFrame]]
BROKEN = (av.FFmpegError, ValueError, OSError)  # what libav raises on damaged input


@contextmanager
def opened(path: Path) -> Iterator[av.container.InputContainer]:
    """Open through a file object: a name is never interpreted as a protocol or an option."""
    if not path.is_file():  # a pipe or a device could be read for ever
        raise refusals.clip_unreadable(path)
    if (kind := kinds.still(path)) is not None:  # which libav would take for films of one picture
        raise refusals.clip_of_other_kind(path, kind)
    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": ""}
    try:
        file = path.open("rb")
    except OSError as error:
        raise refusals.clip_unreadable(path) from error
    with file:
        try:
            container = av.open(file, options=options, timeout=OPEN_TIMEOUT_S, **TOLERANT)
        except BROKEN as error:
            raise _not_opened(path) from error
        with container:
            yield container


def _not_opened(path: Path) -> UserError:
    """Tell an MP4 that lost its index (written last) from what never was a video, and say what that is."""
    if (kind := kinds.told(path)) is not None:
        return refusals.clip_of_other_kind(path, kind)
    with path.open("rb") as file:
        return (refusals.clip_incomplete if file.read(8)[4:] == b"ftyp" else refusals.clip_unreadable)(path)


def video_stream(container: av.container.InputContainer, path: Path) -> av.video.stream.VideoStream:
    """Return the first real video stream, checked against the limits from its header alone."""
    if len(container.streams) > LIMITS.streams:
        raise refusals.clip_too_many_streams(path, len(container.streams), LIMITS.streams)
    if not container.streams.video and not container.streams.audio:
        raise _not_opened(path)
    streams = [s for s in container.streams.video if not int(s.disposition) & ATTACHED_PICTURE]
    if not streams or streams[0].codec_context is None:
        raise refusals.clip_without_video(path)
    context = streams[0].codec_context
    if not context.width or not context.height:  # libav gave up on the picture: a GIF canvas of 60000 x 60000
        raise refusals.clip_unreadable(path)
    check_size(path, context.width, context.height)
    _refuse_hdr(path, context.color_trc)
    context.options = {"max_pixels": str(2 * LIMITS.largest_frame_px)}  # the stream may be larger than its header says
    context.thread_count = 1  # frame threads would hold a dozen decoded pictures each
    return streams[0]


def check_size(path: object, width: int, height: int) -> None:
    """Raise UserError for a picture that is too small, too large or too narrow."""
    if min(width, height) < LIMITS.smallest_side_px:
        raise refusals.clip_too_small(path, width, height)
    if width * height > LIMITS.largest_frame_px:
        raise refusals.clip_too_large(path, width, height)
    if max(width, height) > LIMITS.widest_aspect * min(width, height):
        raise refusals.clip_too_narrow(path, width, height)


def _refuse_hdr(path: Path, transfer: int | None) -> None:
    if int(transfer or 0) in HDR_TRANSFERS:
        raise refusals.clip_hdr(path, HDR_TRANSFERS[int(transfer or 0)])


def readable(
    container: av.container.InputContainer, *streams: av.stream.Stream, damage: Damage | None = None
) -> Iterator[av.Packet]:
    """Yield packets until the file ends or breaks off; the last, empty ones flush the decoders."""
    damage = damage or Damage()
    packets = container.demux(*streams)
    while True:
        try:
            with damage.heard():
                packet = next(packets, None)
        except IndexError:  # PyAV does not know a stream that begins midway; its packet is not asked for
            packets = container.demux(*streams)
            continue
        except BROKEN:
            damage.seen()
            break
        if packet is None:
            return
        yield packet
    for stream in streams:
        flush = av.Packet()
        flush.stream = stream
        yield flush


def _clear(packet: av.Packet, path: Path) -> av.Packet:
    """Return the packet; raise UserError if it is encrypted, for chance lets some of those decode, to noise."""
    if packet.has_sidedata("encryption_info"):
        raise refusals.clip_encrypted(path)
    return packet


def decodable(
    packet: av.Packet, decoder: av.CodecContext | None = None, damage: Damage | None = None
) -> list[av.frame.Frame]:
    """Decode one packet, with the stream's own decoder if none is given; a broken packet costs only itself."""
    damage = damage or Damage()
    try:
        with damage.heard():
            return decoder.decode(packet if packet.size else None) if decoder else packet.decode()
    except BROKEN:
        damage.seen(lost=packet.size > 0)
        return []


def _alpha_decoder(stream: av.video.stream.VideoStream) -> av.CodecContext | None:
    """Return a decoder that sees WebM's transparency, which libav's own VP8 and VP9 decoders drop."""
    name = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.name)
    if stream.metadata.get("alpha_mode") != "1" or name not in av.codecs_available:
        return None
    decoder = av.CodecContext.create(name, "r")
    decoder.options, decoder.thread_count = stream.codec_context.options, 1
    return decoder


def raw_frames(
    container: av.container.InputContainer,
    stream: av.video.stream.VideoStream,
    path: Path,
    damage: Damage | None = None,
) -> Iterator[av.VideoFrame]:
    """Yield every frame that decodes, all of one size; raise UserError if none does."""
    size, decoder, damage = None, _alpha_decoder(stream), damage or Damage()
    for packet in readable(container, stream, damage=damage):
        if packet.size:
            damage.begin(_seconds(packet, stream))
        for frame in decodable(_clear(packet, path), decoder, damage):
            if size is None:
                size = (frame.width, frame.height)
                check_size(path, *size)
                _refuse_hdr(path, frame.color_trc)
            if (frame.width, frame.height) != size:
                raise refusals.clip_changes_size(path)
            yield frame
    if size is None:
        raise refusals.clip_unreadable(path)


def _seconds(packet: av.Packet, stream: av.stream.Stream) -> float | None:
    return None if packet.pts is None else float(packet.pts * stream.time_base) - start_of(stream)


def timed_frames(
    path: Path, start_s: float, damage: Damage | None = None, through: Filter | None = None
) -> Iterator[Timed]:
    """Yield (frame, stream, seconds since the stream's beginning), from some frame at or before start_s.

    Frames go through a filter if one is given. A seek that overshoots (no index, lost key frame, no timestamps) is
    made good by reading from the beginning.
    """
    if start_s > 0:
        sought = _sought(path, start_s, damage, through)
        first = next(sought, None)
        if first is not None and first[2] is not None and first[2] <= start_s:
            yield from chain([first], sought)
            return
    with opened(path) as container:
        stream = video_stream(container, path)
        yield from _timed(container, stream, path, damage, through)


def _sought(path: Path, start_s: float, damage: Damage | None, through: Filter | None) -> Iterator[Timed]:
    """Seek, then yield as timed_frames does; yield nothing where that fails."""
    with opened(path) as container:
        stream = video_stream(container, path)
        try:
            container.seek((stream.start_time or 0) + int(start_s / stream.time_base), stream=stream)
        except (*BROKEN, OverflowError):
            return
        frames = _timed(container, stream, path, damage, through)
        try:
            first = next(frames)
        except UserError:
            return
        yield from chain([first], frames)


def _timed(
    container: av.container.InputContainer,
    stream: av.video.stream.VideoStream,
    path: Path,
    damage: Damage | None,
    through: Filter | None,
) -> Iterator[Timed]:
    frames = raw_frames(container, stream, path, damage)
    for frame in through(frames, stream) if through else frames:
        yield frame, stream, _time_s(frame, stream)


def start_of(stream: av.stream.Stream) -> float:
    """Return the stream's first presentation time, seconds; MPEG-TS does not begin at 0."""
    return float((stream.start_time or 0) * stream.time_base)


def _time_s(frame: av.VideoFrame, stream: av.video.stream.VideoStream) -> float | None:
    return None if frame.time is None else frame.time - start_of(stream)


def frame_rate(stream: av.video.stream.VideoStream) -> float:
    """Return the average frame rate that the file gives, inside the limits; the default where it gives none."""
    return float(np.clip(float(stated_rate(stream) or LIMITS.default_fps), LIMITS.lowest_fps, LIMITS.highest_fps))


def stated_rate(stream: av.video.stream.VideoStream) -> Fraction | None:
    """Return the frame rate of the header, else that which libav found in the first packets; None for neither."""
    return stream.average_rate or stream.guessed_rate or stream.base_rate
