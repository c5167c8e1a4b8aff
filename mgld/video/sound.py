"""The source's sound beside the new pictures: copied, or transcoded to AAC where the container could not carry it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av

from mgld.errors import UserError
from mgld.video.container import decodable, opened, readable, start_of

MP4_CODECS = {"aac", "mp3", "ac3", "alac"}
CODECS = {  # what can be copied as it is
    ".mp4": MP4_CODECS,
    ".mov": MP4_CODECS,
    ".mkv": MP4_CODECS | {"eac3", "opus", "vorbis", "flac", "dts", "pcm_s16le", "pcm_s24le", "pcm_f32le"},
}
AAC_RATES = {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000}
DEFAULT_TRACK = 1  # disposition bit


class Sound:
    """The default audio track of source from start_s to end_s (since its picture began), muxed into out bit by bit.

    A source without sound is silence; broken sound is never a reason to lose the pictures.
    """

    def __init__(
        self, source: Path | None, start_s: float, end_s: float, out: av.container.OutputContainer, suffix: str
    ) -> None:
        self._out, self._suffix = out, suffix
        self._held: tuple[float, av.Packet] | None = None
        self._packets: Iterator[tuple[float, av.Packet]] = iter(())
        self._encoder = self._stream = None
        self._files = ExitStack()
        self.lost = False  # the source should have sound, but cannot be opened again
        try:
            container = self._files.enter_context(opened(source)) if source and source.is_file() else None
        except UserError:
            self.lost = True
            return
        if container is None or not container.streams.audio:
            return
        track = _default_track(container)
        self._open_stream(track)
        # Pictures and sound share one clock, which need not begin at 0.
        origin_s = start_of(container.streams.video[0]) if container.streams.video else 0.0
        if start_s > 0:
            _seek(container, origin_s + start_s)
        self._packets = _span(container, track, origin_s + start_s, origin_s + end_s)

    def copy_until(self, time_s: float) -> None:
        """Mux the sound up to a time, so that the file is interleaved."""
        while True:
            self._held = self._held or next(self._packets, None)
            if self._held is None or self._held[0] > time_s:
                return
            self._put(*self._held)
            self._held = None

    def finish(self, end_s: float) -> None:
        """Mux what is left, and what the encoder still holds."""
        self.copy_until(end_s)
        if self._encoder is not None and self._encoder.codec_context.is_open:
            self._out.mux(self._encoder.encode(None))

    def close(self) -> None:
        """Let the source go."""
        self._files.close()

    def _open_stream(self, track: av.audio.stream.AudioStream) -> None:
        if track.codec_context.codec.canonical_name in CODECS[self._suffix]:
            self._stream = self._out.add_stream_from_template(track)
            return
        rate = track.codec_context.sample_rate
        self._encoder = self._out.add_stream("aac", rate=rate if rate in AAC_RATES else 48_000)

    def _put(self, time_s: float, packet: av.Packet) -> None:
        if self._encoder is None:
            packet.stream = self._stream
            packet.pts = packet.dts = round(time_s / packet.time_base)
            self._out.mux(packet)
            return
        shift_s = time_s - float(packet.pts * packet.time_base)
        for frame in decodable(packet):
            frame.time_base = frame.time_base or Fraction(1, frame.sample_rate)
            if frame.pts is not None:
                frame.pts += round(shift_s / frame.time_base)
            self._out.mux(self._encoder.encode(frame))


def _default_track(container: av.container.InputContainer) -> av.audio.stream.AudioStream:
    tracks = container.streams.audio
    return next((t for t in tracks if int(t.disposition) & DEFAULT_TRACK), tracks[0])


def _seek(container: av.container.InputContainer, time_s: float) -> None:
    try:
        container.seek(round(time_s * av.time_base))
    except (av.FFmpegError, ValueError):
        return  # the span is then found by reading from the beginning


def _span(
    container: av.container.InputContainer, track: av.audio.stream.AudioStream, start_s: float, end_s: float
) -> Iterator[tuple[float, av.Packet]]:
    """Yield (seconds after start_s, packet) for the packets that begin inside the span."""
    for packet in readable(container, track):
        if packet.pts is None or packet.size == 0:
            continue
        time_s = float(packet.pts * packet.time_base)
        if time_s >= end_s:
            return
        if time_s >= start_s - 1e-3:
            yield max(time_s - start_s, 0.0), packet
