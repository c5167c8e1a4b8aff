"""One clip of the command line: looked at, opened, written as its frames come, and reported on."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mgld.commands import refusals
from mgld.commands.console import say, say_notes, say_progress
from mgld.commands.options import check_output, check_rate, check_start
from mgld.constants import SCALE
from mgld.events import counted
from mgld.methods import PEERS
from mgld.settings import Settings

if TYPE_CHECKING:
    from mgld.events import Event
    from mgld.kept import KeptRun
    from mgld.video import Frame


class ClipJob:
    """A clip that is read at source and written to output; name stands before its progress, where there are several."""

    def __init__(self, chosen: argparse.Namespace, source: Path, output: Path, name: str = "") -> None:
        self.source, self.output, self.name = source, output, name
        self.report: dict = {}
        self.total: int | None = None
        self._chosen, self._damage = chosen, list[str]()
        self._started = time.monotonic()

    def look(self) -> None:
        """Look at the clip and at where it is to go; refuse what cannot be before anything is loaded."""
        from mgld.video import VideoWriter, probe
        from mgld.video.clip import INTERLACED, RATE_ASSUMED

        chosen = self._chosen
        check_rate(self.source, chosen.fps)
        check_output(self.source, self.output)
        clip = probe(self.source, chosen.fps)
        check_start(clip, chosen.start)
        self._writer = VideoWriter(
            self.output, clip.fps, audio_from=self.source, start_s=chosen.start, lossless=chosen.lossless
        )
        self._say(clip.notes, {INTERLACED: "--deinterlace removes it", RATE_ASSUMED: "--fps states another"})
        self.total = clip.frames_ahead(chosen.start, chosen.frames)
        if self.total:
            self._writer.check_room(self.total, SCALE * clip.height, SCALE * clip.width)

    def follow(self) -> None:
        """Count its seconds from here on: what came before were those of another clip."""
        self._started = time.monotonic()

    def frames(self) -> Iterator[Frame]:
        """Read the frames that are wanted."""
        from mgld.video import read_frames

        chosen = self._chosen
        return read_frames(self.source, chosen.start, chosen.frames, chosen.fps, chosen.deinterlace, self._damage)

    @contextmanager
    def working(self, wanted: Settings, device: str, dtype: str) -> Iterator[KeptRun]:
        """Be ready for events; the output appears under its name when this ends well. device and dtype: where the work is done."""
        loaded_s = time.monotonic() - self._started
        with self._kept(wanted, device, dtype) as kept, self._writer as writer:
            early = list(writer.notes)  # what cannot be kept is said before the work
            self._say(early)
            yield kept
        self._say([*self._damage, *writer.notes[len(early) :]])
        seconds = {"load": round(loaded_s, 3), **self.report["seconds"]}
        self.report["seconds"] = seconds | {"all": round(time.monotonic() - self._started, 3)}
        self.report |= {"input": str(self.source), "output": str(self.output)}

    def take(self, event: Event) -> None:
        """Write finished frames, draw the progress line, remember the report."""
        from mgld.events import FramesDone, Note, Progress, Result, Resumed
        from mgld.kept import told

        if isinstance(event, FramesDone):
            for frame, time_s in zip(event.frames_u8, event.times_s, strict=True):
                self._writer.write(frame, time_s)
        if isinstance(event, Resumed):
            self._say_line(f"{told(event)}: going on after {counted(event.frames, 'frame')}")
        if isinstance(event, Progress):
            say_progress(event, self.name)
        if isinstance(event, Note):
            self._say([event.text])
        if isinstance(event, Result):
            self.report = event.report

    def tell(self) -> None:
        """Say what has come of the clip."""
        made = counted(self.report["frames"], "frame")
        self._say_line(f"{made} in {self.report['seconds']['all']:.1f} s → {self.output}")

    @contextmanager
    def _kept(self, wanted: Settings, device: str, dtype: str) -> Iterator[KeptRun]:
        """Open what an earlier run of the same command had finished; forget it once the output is whole."""
        from mgld.comparison.store import content_of
        from mgld.kept import KeptRun, run_key
        from mgld.presets import describe_model

        chosen = self._chosen
        source = {"sha256": content_of(self.source), "start_s": chosen.start, "frames": chosen.frames}
        # The rate says at which frame of a folder it starts.
        source |= {"fps": chosen.fps, "deinterlace": chosen.deinterlace}
        key = run_key(wanted, describe_model(chosen.model), device, dtype, source)
        kept = KeptRun(None if wanted.method in PEERS else key)
        try:
            yield kept
            kept.remove()
        except BaseException:
            if kept.count:
                self._say_line(f"{counted(kept.count, 'finished segment')} kept: the same command goes on from there.")
            raise
        finally:
            kept.close()

    def _say(self, notes: Sequence[str], hints: Mapping[str, str] | None = None) -> None:
        say_notes(notes, hints, self.name)

    def _say_line(self, text: str) -> None:
        say(f"{self.name}{text}")


def jobs_of(chosen: argparse.Namespace) -> list[ClipJob]:
    """Return one job for IN OUT, or one for each IN of --out FOLDER; raise UserError where two would write one file."""
    if chosen.out is None:
        if len(chosen.paths) != 2:
            raise refusals.output_unnamed()
        return [ClipJob(chosen, *chosen.paths)]
    jobs: dict[Path, ClipJob] = {}
    for source in chosen.paths:
        output = chosen.out / (source.stem + _suffix(source, chosen.lossless))
        if output in jobs:
            raise refusals.outputs_clash(output, jobs[output].source, source)
        jobs[output] = ClipJob(chosen, source, output, f"{source.name}: ")
    return list(jobs.values())


def _suffix(source: Path, lossless: bool) -> str:
    return ".mkv" if lossless else ".gif" if source.suffix.lower() == ".gif" else ".mp4"
