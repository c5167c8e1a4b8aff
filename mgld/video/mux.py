"""Encoded pictures + their true times + the source's sound, subtitles, chapters and title → the result."""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av

from mgld.errors import UserError
from mgld.video import animation, sound
from mgld.video.container import BROKEN, opened
from mgld.video.source import BEAT, Timing, chapters, plays, timing
from mgld.video.start import first_shown_s

TIME_BASE = Fraction(1, 90_000)
SAME_TIME_S = 2e-3  # containers round
LONGEST_TICKS = int(6 * 3600 / TIME_BASE)  # that MP4 can hold one picture for, with room
GIF_TICK = int(Fraction(1, 100) / TIME_BASE)  # a GIF's clock
GIF_SHORTEST = 2 * GIF_TICK  # browsers slow GIF frames under 20 ms down to 100 ms
FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}  # of the videos that are written, by suffix
TRIED_PACKETS = 300  # of the sound, before any work is done


@dataclass(frozen=True)
class MuxJob:
    """What to mux, JSON-ready; ticks (TIME_BASE) are when pictures begin, and when the last ends unless the source says."""

    encoded: str
    whole: str
    ticks: list[int]
    last_s: float  # when the last picture begins after the first, not rounded
    interval_s: float
    start_s: float = 0.0
    way: str = sound.COPY
    tail: int = 0  # in TIME_BASE, from the last picture of a GIF to the last of its clip, which it may leave out

    @property
    def suffix(self) -> str:
        return Path(self.whole).suffix


def plan(source: Path, suffix: str) -> tuple[str, list[str]]:
    """Return the first way to keep the sound that the container accepts, and what is to be said, before the work."""
    if source.is_dir() or animation.kind(source):
        return sound.SILENT, []
    if suffix not in FORMATS:
        return sound.SILENT, _unheard(source)
    for way in sound.WAYS[:-1]:
        try:
            return way, _tried(source, suffix, way)
        except BROKEN:
            continue
    return sound.SILENT, [sound.CHANGED[sound.SILENT]]


def _unheard(source: Path) -> list[str]:
    with opened(source) as container:
        kinds = {"sound": container.streams.audio, "subtitles": container.streams.subtitles}
        lost = [name for name, found in kinds.items() if found] + (["chapters"] if container.chapters() else [])
    return [f"pictures alone are written; not kept: {', '.join(lost)}"] if lost else []


def _tried(source: Path, suffix: str, way: str) -> list[str]:
    """Mux the first packets of the sound into memory; raise what libav raises where it refuses."""
    with opened(source) as container, av.open(io.BytesIO(), "w", format=FORMATS[suffix]) as out:
        kept, notes = sound.tracks(container, out, suffix, way)
        if kept:
            out.start_encoding()
        heard = sound.span(container, kept, sound.pictures_start(container), float("inf"))
        for time_s, track, packet in islice(heard, TRIED_PACKETS):
            for made in track.packets(time_s, packet):
                out.mux(made)
        for track in kept:
            out.mux(list(track.rest()))
    return notes


def mux(source: Path | None, job: MuxJob) -> Iterator[list[str]]:
    """Write the result, yielding now and then; the last that is yielded is what a person should know of it.

    Raises what libav raises if the sound cannot be muxed in the job's way.
    """
    known, first_s = None, job.start_s
    notes: list[str] = []
    if source is not None:
        known = yield from _beating(timing(source))
    if known is not None:
        first_s = first_shown_s(known.begins_s, job.start_s)
        job = replace(job, ticks=[*job.ticks[:-1], _end(job, known, first_s)])
    with ExitStack() as files:
        encoded = files.enter_context(av.open(job.encoded))
        out = files.enter_context(av.open(job.whole, "w", options=_options(source, job)))
        heard = source if job.suffix in FORMATS and job.way != sound.SILENT else None
        yield from _written(encoded, out, _opened(heard, files), job, first_s, notes)
    yield notes


def _beating(work: Generator[None, None, Timing | None]) -> Generator[list[str], None, Timing | None]:
    """Yield a sign of life for each of the work's; return what it returns."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value
        yield []


def _end(job: MuxJob, known: Timing, first_s: float) -> int:
    """Return when the last picture ends: as the source has it, if it is the source's last; the sound is not cut."""
    last_s = first_s + job.last_s
    if last_s < known.begins_s[-1] - SAME_TIME_S:
        return job.ticks[-1]
    held_s = known.end_s - last_s
    if known.sound_end_s > max(known.end_s, last_s) + job.interval_s:
        held_s = known.sound_end_s - last_s
    held = min(round(held_s / TIME_BASE), LONGEST_TICKS)
    return job.ticks[-2] + job.tail + held if held > 0 else job.ticks[-1]


def _options(source: Path | None, job: MuxJob) -> dict[str, str]:
    options = {"fflags": "+bitexact"}  # no random identifiers: the same frames give the same bytes
    if job.suffix in (".mp4", ".mov"):
        options["movflags"] = "+faststart"
    if job.suffix == ".gif":
        count = (plays(source) if source else None) or 0
        options["loop"] = str(count - 1 if count != 1 else -1) if count else "0"
        options["final_delay"] = str(max(round((job.ticks[-1] - job.ticks[-2]) / GIF_TICK), GIF_SHORTEST // GIF_TICK))
    return options


def _opened(source: Path | None, files: ExitStack) -> av.container.InputContainer | None:
    try:
        return files.enter_context(opened(source)) if source and source.is_file() else None
    except UserError:
        return None


def _written(
    encoded: av.container.InputContainer,
    out: av.container.OutputContainer,
    heard: av.container.InputContainer | None,
    job: MuxJob,
    first_s: float,
    notes: list[str],
) -> Iterator[list[str]]:
    """Mux pictures and sound in turn, so that the file is interleaved."""
    pictures = encoded.streams.video[0]
    stream = out.add_stream_from_template(pictures)
    stream.time_base = TIME_BASE
    end_s = float(job.ticks[-1] * TIME_BASE)
    kept: list[sound.Track] = []
    waiting: Iterator[tuple[float, sound.Track, av.Packet]] = iter(())
    if heard is not None:
        kept, _ = sound.tracks(heard, out, job.suffix, job.way)
        begin_s = sound.pictures_start(heard) + first_s
        _keep_words(heard, out, begin_s, begin_s + end_s)
        if job.start_s > 0:
            sound.seek(heard, begin_s)
        waiting = sound.span(heard, kept, begin_s, begin_s + end_s)
    held = next(waiting, None)
    packets = (packet for packet in encoded.demux(pictures) if packet.size)
    for count, (packet, tick, following) in enumerate(zip(packets, job.ticks[:-1], job.ticks[1:], strict=True)):
        while held is not None and held[0] <= tick * TIME_BASE:
            out.mux(list(held[1].packets(held[0], held[2])))
            held = next(waiting, None)
        packet.stream, packet.time_base = stream, TIME_BASE
        packet.pts = packet.dts = tick
        packet.duration = following - tick
        out.mux(packet)
        if count % BEAT == 0:
            yield []
    yield from _rest(out, held, waiting, kept)
    if any(track.repaired for track in kept):
        notes.append("the sound's times ran back and were repaired")


def _rest(out: av.container.OutputContainer, held: tuple | None, waiting: Iterator, kept: list) -> Iterator[list[str]]:
    """Mux the sound after the last picture began, and what the encoders still hold."""
    count = 0
    while held is not None:
        out.mux(list(held[1].packets(held[0], held[2])))
        held, count = next(waiting, None), count + 1
        if count % BEAT == 0:
            yield []
    for track in kept:
        out.mux(list(track.rest()))


def _keep_words(
    heard: av.container.InputContainer, out: av.container.OutputContainer, begin_s: float, end_s: float
) -> None:
    """Keep the title and the chapters; what else a file may carry (places, names) is the source's own affair."""
    if "title" in heard.metadata:
        out.metadata["title"] = heard.metadata["title"]
    listed = list(chapters(heard.chapters(), begin_s, end_s))
    if listed:
        out.set_chapters(listed)
