"""The device job of the page: a request in; progress, previews, the growing comparison, its figures and files out.

Reading order: `compare` → `produce` → `_run_missing` → `conclude`. Only `_run_missing` needs the device.
"""

from __future__ import annotations

import html
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import gradio as gr
import numpy as np

from mgld.comparison.estimate import cost_of, learn_showing, predict
from mgld.comparison.figures import comparison
from mgld.comparison.request import Request, read
from mgld.comparison.store import Kept, Part, Sampling, Store
from mgld.comparison.takeaway import outcome_of, write_files
from mgld.comparison.work import Sessions, Work
from mgld.errors import UserError
from mgld.events import Event, FramesDone, Guided, Preview, Progress, Result, Sampled
from mgld.methods import is_guided
from mgld.segment import Watch
from mgld.settings import PARTIAL_SHARE, PREVIEW_EVERY_S, Settings
from mgld.sharing import sampled_as
from mgld.ui import words
from mgld.ui.compare import stack_layers
from mgld.ui.progress import bar

Shown = tuple[str, object, object, str, list[str] | None]  # progress, preview, comparison, table, files

STORE = Store()
SESSIONS = Sessions()
BUSY = threading.Event()  # somebody's job has the device: calibration steps aside


@dataclass(frozen=True)
class Machine:
    """Where jobs run: the device's name, and run_all of mgld.worker, wrapped where a host lends its GPU by the call."""

    device: str
    run_all: Callable


def compare(machine: Machine, request: Request, session: str | None) -> Iterator[Shown]:
    """Yield what the page shows; closing it stops the work within one denoising step and keeps what is finished."""
    with told(), job_folder() as folder:
        yield bar(words.LOADING), None, gr.skip(), "", None
        work = begin(machine, request, {m: replace(request.knobs, method=m) for m in request.methods})
        SESSIONS.put(session, work)
        try:
            yield from produce(machine, work, folder)
            yield from conclude(work, folder)
            work.shown = True
        finally:
            work.stopped.set()


def begin(machine: Machine, request: Request, runs: dict[str, Settings]) -> Work:
    """Read what is needed and predict how long it takes."""
    from mgld.canvas import bicubic

    material = read(request)
    height, width = material.clip[0].rgb_u8.shape[:2]
    layers = 1 + len(runs) + len(material.given)
    needed = predict(
        machine.device, material.part, list(runs.values()), (height, width), len(material.clip), layers, STORE
    )
    large = bicubic(np.stack([f.rgb_u8 for f in material.clip]))
    return Work(request, material, runs, large, needed.seconds)


def produce(machine: Machine, work: Work, folder: Path | None) -> Iterator[Shown]:
    """Fill work.kept with every run, from memory or from the device; show each growing result in folder, if there is one."""
    started = time.monotonic()
    for name, wanted in work.runs.items():
        found = STORE.result(work.material.part, wanted)
        if found is not None:
            work.kept[name] = found
            work.guided[name] = _guided(work.material.part, wanted)
    showing = Showing(work, folder)
    missing = {name: wanted for name, wanted in work.runs.items() if name not in work.kept}
    if missing:
        yield from _run_missing(machine, work, missing, showing)
        work.kept = {name: work.kept[name] for name in work.runs}  # in the order that was asked for
    work.taken_s += time.monotonic() - started


def conclude(work: Work, folder: Path) -> Iterator[Shown]:
    """Measure and show what there is, then write its files; also after Cancel."""
    yield bar(words.MEASURING, 1.0), gr.skip(), gr.skip(), "", None
    started, layers = time.monotonic(), work.layers()
    stage, work.table = comparison(
        folder / "stage.mp4", layers, work.material.fps, _inside(work, layers), work.request.knobs.flow
    )
    showing_s = time.monotonic() - started
    work.taken_s += showing_s
    learn_showing(work.request.model, layers, showing_s)
    done = bar(done_text(work, len(next(iter(layers.values())))))
    yield bar(words.WRITING, 1.0), None, stage, work.table.markdown, None
    files = write_files(folder, outcome_of(work, layers))
    yield done, None, stage, work.table.markdown, [str(f) for f in files]


def keep_what_is_finished(session: str | None) -> Iterator[Shown]:
    """After Cancel: show what the stopped job had finished, or say that there was nothing."""
    work = SESSIONS.get(session)
    if work is None or work.shown:
        yield bar(words.IDLE), None, gr.skip(), gr.skip(), gr.skip()
        return
    work.stopped.wait(30)  # the step that is under way still ends
    layers, work.shown = work.layers(), True
    if not layers:
        yield bar(words.CANCELLED), None, gr.skip(), gr.skip(), gr.skip()
        return
    with told(), job_folder() as folder:
        for _, preview, stage, table, files in conclude(work, folder):
            count = len(next(iter(layers.values())))
            yield bar(words.CANCELLED_KEPT.format(frames=count)), preview, stage, table, files


def done_text(work: Work, frames: int) -> str:
    """Say what was done, how long it took and how long it was thought to take."""
    reports = [r for r in work.reports().values() if r]
    peak = max((r["peak_memory_bytes"] for r in reports), default=0) / 1e9
    device = reports[0]["device"] if reports else ""
    text = words.DONE.format(frames=frames, seconds=work.taken_s, device=device, gigabytes=peak)
    return text + (words.PREDICTED.format(seconds=work.predicted_s) if work.predicted_s else "")


def _run_missing(machine: Machine, work: Work, missing: dict[str, Settings], showing: Showing) -> Iterator[Shown]:
    """Run on the device what is not in memory, in one call; keep every finished segment as it comes."""
    from mgld.worker import DeviceJob

    part, names, runs = work.material.part, list(missing), list(missing.values())
    latents = {sampled_as(w): dict(STORE.sampling(part, w).latents) for w in runs}
    clock, watch = Countdown(machine, work, runs), Watch(PREVIEW_EVERY_S, guidance=True)
    events = machine.run_all(DeviceJob(work.request.model, machine.device, work.material.clip, runs, latents, watch))
    BUSY.set()
    try:
        for index, event in events:
            name = names[index]
            work.take(name, event)
            _remember(STORE.sampling(part, runs[index]), event)
            if isinstance(event, (FramesDone, Preview)):
                showing.preview = event.rgb_u8 if isinstance(event, Preview) else event.frames_u8[-1]
            if isinstance(event, Result):
                _finish(work, name, missing[name], event.report, cost_of(work.request.model), machine.device)
            if isinstance(event, (Progress, Result)):
                yield clock.line(name, index, event), *showing.now(), "", None
    finally:
        BUSY.clear()
        events.close()


def _remember(sampling: Sampling, event: Event) -> None:
    """Keep what a finished segment's sampling came to, for runs that share it."""
    if isinstance(event, Sampled):
        sampling.latents[event.first_frame] = event.z
    elif isinstance(event, Guided):
        sampling.guided[event.first_frame] = event


def _finish(work: Work, name: str, wanted: Settings, report: dict, cost, device: str) -> None:
    """Turn the running method into a finished one."""
    from mgld.comparison.estimate import megapixels_of

    part, clip = work.material.part, work.material.clip
    if {"condition", "sample"} <= set(report["seconds"]):
        cost.learn(report, wanted, len(clip), megapixels_of(part.model, device, *clip[0].rgb_u8.shape[:2]))
    kept = Kept(np.concatenate(work.parts), report, tuple(work.borders))
    STORE.keep(part, wanted, kept)
    work.kept[name], work.guided[name] = kept, _guided(part, wanted)
    work.running, work.parts = None, []


def _guided(part: Part, wanted: Settings) -> list[Guided]:
    """Return what guidance did in a sampling, segment by segment."""
    if not is_guided(wanted):
        return []
    return [event for _, event in sorted(STORE.sampling(part, wanted).guided.items())]


class Countdown:
    """The progress line: which method and stage, and the seconds left of the whole job."""

    def __init__(self, machine: Machine, work: Work, runs: list[Settings]) -> None:
        part, clip = work.material.part, work.material.clip
        size = clip[0].rgb_u8.shape[:2]
        self._ahead_s = [predict(machine.device, part, [r], size, len(clip), 0, STORE).seconds or 1.0 for r in runs]
        self._frames, self._count = len(clip), len(runs)

    def line(self, name: str, index: int, event: Progress | Result) -> str:
        """Return the line after an event of the run at index."""
        done = event.done if isinstance(event, Progress) else self._frames
        share = done / self._frames
        passed = sum(self._ahead_s[:index]) + share * self._ahead_s[index]
        own_s = getattr(event, "seconds_left", None)
        left_s = (self._ahead_s[index] * (1 - share) if own_s is None else own_s) + sum(self._ahead_s[index + 1 :])
        stage = words.STAGES[event.stage if isinstance(event, Progress) else "decode"]
        text = words.WORKING.format(
            method=words.LAYERS[name],
            number=index + 1,
            count=self._count,
            stage=stage,
            done=done,
            total=self._frames,
            left=left_s,
        )
        return bar(text, passed / sum(self._ahead_s))


class Showing:
    """What is seen while a job runs: the newest preview, and now and then the comparison of what is finished."""

    def __init__(self, work: Work, folder: Path | None) -> None:
        self._work, self._folder = work, folder
        self.preview: np.ndarray | None = None
        self._seen, self._next = 0, 0.0

    def now(self) -> tuple[object, object]:
        """Return (preview, comparison), each skipped where there is nothing new or it would take too much of the time."""
        preview, self.preview = (gr.skip() if self.preview is None else self.preview), None
        frames = sum(map(len, self._work.parts)) + sum(len(k.frames_u8) for k in self._work.kept.values())
        if self._folder is None or frames <= self._seen or time.monotonic() < self._next:
            return preview, gr.skip()
        started, self._seen = time.monotonic(), frames
        layers = self._work.layers()
        path = self._folder / f"partial-{frames}.mp4"
        stage = stack_layers(
            path, {words.LAYERS[n]: f for n, f in layers.items()}, self._work.material.fps, _inside(self._work, layers)
        )
        stage.pair = _newest_two(self._work, list(layers))
        self._next = time.monotonic() + PARTIAL_SHARE * (time.monotonic() - started)
        return preview, stage


def _newest_two(work: Work, order: list[str]) -> tuple[int, int]:
    """Return the two layers that a growing comparison shows first: what is being made, beside what was made before it."""
    made = [name for name in order if name in work.runs]
    return (order.index(made[-2]) if len(made) > 1 else 0), order.index(made[-1])


def _inside(work: Work, layers: dict[str, np.ndarray]) -> tuple[int, ...]:
    count = len(next(iter(layers.values())))
    return tuple(b for b in work.borders_of() if b < count)


@contextmanager
def job_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="mgld-job-"))  # a name of our own: nothing from the request becomes a path
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def told() -> Iterator[None]:
    """Turn a sentence for a person into Gradio's; everything else stays unseen."""
    try:
        yield
    except UserError as error:
        raise gr.Error(html.escape(str(error)), print_exception=False) from error
