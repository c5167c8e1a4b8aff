"""What the source says that the result must keep: when pictures are shown, how long the last, how often it plays."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from mgld.video import animation, folder
from mgld.video.container import opened, readable, video_stream
from mgld.video.sound import pictures_start

BEAT = 2000  # packets after which a sign of life is given


@dataclass(frozen=True)
class Timing:
    """When pictures begin and the last one ends, and when the sound ends, in seconds of the pictures' clock."""

    begins_s: list[float]
    end_s: float
    sound_end_s: float


def timing(path: Path) -> Generator[None, None, Timing | None]:
    """Return the timing of a clip, None where it states none; yields now and then, for it reads the whole file."""
    if path.is_dir():
        count = len(folder.pictures(path))
        stated = folder.stated_times_s(path)
        return Timing(stated, stated[-1], 0.0) if stated and len(stated) == count else None
    if animation.kind(path) in animation.READ_HERE:
        shown = [(begin_s, end_s) for _, begin_s, end_s, _ in animation.frames(path)]
        return Timing([begin_s for begin_s, _ in shown], shown[-1][1], 0.0)
    return (yield from _timing_of_file(path))


def _timing_of_file(path: Path) -> Generator[None, None, Timing | None]:
    begins, end_s, sound_end_s = [], 0.0, 0.0
    with opened(path) as container:
        pictures = video_stream(container, path)
        origin_s = pictures_start(container)
        for count, packet in enumerate(readable(container, pictures, *container.streams.audio)):
            if count % BEAT == 0:
                yield
            if packet.pts is None or packet.is_discard:
                continue
            begin_s = float(packet.pts * packet.time_base) - origin_s
            length_s = float((packet.duration or 0) * packet.time_base)
            if packet.stream.index == pictures.index:
                begins.append(begin_s)
                end_s = max(end_s, begin_s + length_s)
            else:
                sound_end_s = max(sound_end_s, begin_s + length_s)
    return Timing(sorted(begins), end_s, sound_end_s) if begins else None


def plays(path: Path) -> int | None:
    """Return how often a source that is an animation plays, 0 for ever; None for other clips."""
    return animation.plays(path) if path.is_file() and animation.kind(path) else None


def chapters(listed: list[dict], start_s: float, end_s: float) -> Iterator[dict]:
    """Yield the chapters of the span start_s … end_s, as they lie after start_s."""
    for chapter in listed:
        begin_s, stop_s = (float(chapter[key] * chapter["time_base"]) for key in ("start", "end"))
        begin_s, stop_s = max(begin_s, start_s), min(stop_s, end_s)
        if begin_s < stop_s:
            ticks = {k: round((t - start_s) / chapter["time_base"]) for k, t in (("start", begin_s), ("end", stop_s))}
            yield {**chapter, **ticks}
