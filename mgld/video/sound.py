"""The source's sound and subtitles beside the new pictures: copied, or transcoded to AAC where they could not be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av

from mgld.video.container import ATTACHED_PICTURE, BROKEN, decodable, readable, start_of

COPY, TRANSCODE, SILENT = WAYS = ("copy", "transcode", "silent")  # each is tried where the one before fails
CHANGED = {  # what is said where one had to be
    TRANSCODE: "the sound of the source is damaged: it was converted to AAC",
    SILENT: "the sound of the source is damaged: the result is silent",
}
PLAYERS_READ = {"aac", "mp3", "ac3", "eac3", "alac"}
COPIED = {  # what players read from the container; Matroska holds nearly everything, and says itself what it does not
    ".mp4": PLAYERS_READ,
    ".mov": PLAYERS_READ | {"pcm_s16le", "pcm_s24le", "pcm_s16be", "pcm_s24be", "pcm_f32le"},
}
AAC_RATES = {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000}
# Of so many channels, where a file does not say which they are (PCM in AVI and Matroska never does), as players take them.
USUAL_LAYOUTS = ("mono", "stereo", "2.1", "4.0", "5.0", "5.1", "6.1", "7.1")
AAC_BITS_PER_CHANNEL = 96_000
CONTINUED_S = 0.1  # sound that comes this little too early or late goes on where it was
TURNED_BACK_S = 0.5  # times that jump back further are not an error of rounding: another recording was appended
DEFAULT_TRACK = 1  # disposition bit


@dataclass
class Track:
    """One track of the source and where it goes; last is the time of its last packet, in the packets' own ticks."""

    source: av.stream.Stream
    out: av.stream.Stream
    encodes: bool
    last: int | None = None
    length: int = 0
    repaired: bool = False
    heard_to_s: float = 0.0

    def packets(self, time_s: float, packet: av.Packet) -> Iterator[av.Packet]:
        """Yield what is to be muxed for one packet of the source that is heard at time_s."""
        if not self.encodes:
            yield self._in_order(packet, round(time_s / packet.time_base))
            return
        for frame in map(_of_named_channels, decodable(packet)):
            frame.time_base = frame.time_base or Fraction(1, frame.sample_rate)
            time_s = time_s if abs(time_s - self.heard_to_s) > CONTINUED_S else self.heard_to_s
            frame.pts = round(max(time_s, self.heard_to_s) / frame.time_base)
            time_s = self.heard_to_s = float(frame.pts * frame.time_base) + frame.samples / frame.sample_rate
            yield from map(self._encoded, self.out.encode(frame))

    def rest(self) -> Iterator[av.Packet]:
        """Yield what the encoder still holds."""
        if self.encodes and self.out.codec_context.is_open:
            yield from map(self._encoded, self.out.encode(None))

    def _encoded(self, packet: av.Packet) -> av.Packet:
        return self._in_order(packet, packet.pts if packet.pts is not None else (self.last or 0) + self.length)

    def _in_order(self, packet: av.Packet, tick: int) -> av.Packet:
        """Give the packet its time, repaired where it does not grow, which muxers refuse."""
        if self.last is not None and tick <= self.last:
            turned_back = (self.last - tick) * packet.time_base > TURNED_BACK_S
            tick = self.last + (max(self.length, 1) if turned_back else 1)
            self.repaired = self.repaired or self.source.type == "audio"
        self.last, self.length = tick, packet.duration or self.length
        packet.pts = packet.dts = tick
        packet.stream = self.out
        return packet


def tracks(
    source: av.container.InputContainer, out: av.container.OutputContainer, suffix: str, way: str
) -> tuple[list[Track], list[str]]:
    """Return the tracks that out can hold, added to it, and what is to be said of the others."""
    kept: list[Track] = []
    notes: list[str] = []
    dropped: Counter[str] = Counter()
    pictures = [s for s in source.streams.video if not int(s.disposition) & ATTACHED_PICTURE]
    for stream in source.streams:
        if stream in pictures[:1]:
            continue
        track = _added(stream, out, suffix, way) if way != SILENT else None
        if track is None:
            dropped[_named(stream)] += 1
            continue
        kept.append(track)
        if track.encodes:
            notes.append(f"sound converted from {_codec(stream)} to AAC")
    if dropped:
        listed = ", ".join(f"{count} × {name}" if count > 1 else name for name, count in dropped.items())
        notes.append(f"not kept: {listed}")
    return kept, notes


def _added(stream: av.stream.Stream, out: av.container.OutputContainer, suffix: str, way: str) -> Track | None:
    if stream.type not in ("audio", "subtitle") or stream.codec_context is None:
        return None
    copied = stream.type == "subtitle" or (way == COPY and _codec(stream) in COPIED.get(suffix, {_codec(stream)}))
    added = None
    if copied:
        try:
            added = out.add_stream_from_template(stream)
        except BROKEN:
            copied = False
    layout = _layout(stream.codec_context.layout) if stream.type == "audio" else None
    if added is None and layout is not None and stream.codec_context.sample_rate:
        added = _aac(stream, out, layout)
    if added is None:
        return None
    added.metadata.update({key: stream.metadata[key] for key in ("language", "title") if key in stream.metadata})
    added.disposition = int(stream.disposition) & DEFAULT_TRACK
    return Track(stream, added, encodes=not copied)


def _layout(stated: av.AudioLayout) -> str | None:
    """Name the channels; None where they are too many to guess."""
    count = stated.nb_channels
    if stated.name != f"{count} channels":
        return stated.name
    return USUAL_LAYOUTS[count - 1] if 0 < count <= len(USUAL_LAYOUTS) else None


def _of_named_channels(frame: av.AudioFrame) -> av.AudioFrame:
    """Return the frame as an encoder takes it, which knows channels by their names alone."""
    layout = _layout(frame.layout)
    if layout in (None, frame.layout.name):
        return frame
    named = av.AudioFrame.from_ndarray(frame.to_ndarray(), frame.format.name, layout)
    named.sample_rate, named.time_base, named.pts = frame.sample_rate, frame.time_base, frame.pts
    return named


def _aac(
    stream: av.audio.stream.AudioStream, out: av.container.OutputContainer, layout: str
) -> av.audio.stream.AudioStream:
    """Add an AAC stream of as many channels."""
    rate = stream.codec_context.sample_rate
    added = out.add_stream("aac", rate=rate if rate in AAC_RATES else 48_000, layout=layout)
    added.bit_rate = AAC_BITS_PER_CHANNEL * stream.codec_context.layout.nb_channels
    return added


def _codec(stream: av.stream.Stream) -> str:
    return stream.codec_context.codec.canonical_name


def _named(stream: av.stream.Stream) -> str:
    """Say what a stream is, in a word or two."""
    if stream.type == "video":
        return "a cover picture" if int(stream.disposition) & ATTACHED_PICTURE else "a second picture track"
    kind = {"audio": "sound", "subtitle": "subtitles"}.get(stream.type, stream.type)
    return f"{kind} ({_codec(stream)})" if stream.codec_context is not None else kind


def span(
    container: av.container.InputContainer, kept: list[Track], start_s: float, end_s: float
) -> Iterator[tuple[float, Track, av.Packet]]:
    """Yield (seconds after start_s, track, packet) for the packets that begin inside the span of the pictures' clock."""
    if not kept:
        return  # demuxing "these streams" of none would be all of them
    by_index = {track.source.index: track for track in kept}
    expected: dict[int, float] = {}
    over: set[int] = set()
    for packet in readable(container, *(track.source for track in kept)):
        if packet.size == 0:
            continue
        at, stamp = packet.stream.index, packet.dts if packet.pts is None else packet.pts
        time_s = expected.get(at) if stamp is None else float(stamp * packet.time_base)
        if time_s is None:
            continue
        expected[at] = time_s + float((packet.duration or 0) * packet.time_base)
        if time_s >= end_s:
            over.add(at)
            if len(over) == len(by_index):
                return
        elif time_s >= start_s - 1e-3:
            yield max(time_s - start_s, 0.0), by_index[at], packet


def seek(container: av.container.InputContainer, time_s: float) -> None:
    """Go near a time; where that fails, the span is found by reading from the beginning."""
    try:
        container.seek(round(time_s * av.time_base))
    except (*BROKEN, OverflowError):
        return


def pictures_start(container: av.container.InputContainer) -> float:
    """Return when the pictures begin on the clock that they share with the sound, which need not begin at 0."""
    pictures = [s for s in container.streams.video if not int(s.disposition) & ATTACHED_PICTURE]
    return start_of(pictures[0]) if pictures else 0.0
