"""A comparison while somebody watches: its progress line, previews and growing result, then its figures and files.

Reading order: `compare` → `_watched` → `conclude`. What is made, `mgld.comparison` makes.
"""

from __future__ import annotations

import html
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import gradio as gr
import numpy as np

from mgld import memory
from mgld.comparison import sweep
from mgld.comparison.estimate import check_fits, learn_job, learn_runs, predict
from mgld.comparison.figures import measure, notes_of, write_stage
from mgld.comparison.grid import stack_layers
from mgld.comparison.job import ComparisonJob, Sessions, begin
from mgld.comparison.layers import INPUT, label_of
from mgld.comparison.produce import Machine, produce
from mgld.comparison.report import outcome_of
from mgld.comparison.request import Request, extent_of
from mgld.comparison.store import Store
from mgld.comparison.takeaway import Takeaway
from mgld.constants import DEFAULT_MODEL, PARTIAL_SHARE, PREDICTED_RANGE, PREVIEW_EVERY_S
from mgld.errors import UserError, too_few_frames
from mgld.events import FramesDone, Preview, Progress, Result
from mgld.folders import WorkFolder
from mgld.kept import told
from mgld.presets import name_of
from mgld.segment import Watch
from mgld.settings import Settings
from mgld.ui import words
from mgld.ui.compare import Comparison, shown
from mgld.ui.files import TakenFiles, listed
from mgld.ui.progress import bar
from mgld.ui.queue import DeviceQueue

Shown = tuple[str, object, object, TakenFiles | None]  # progress, preview, comparison, files
Swept = tuple[str, object, object, str, object]  # progress, preview, figure, table, comparison

STORE = Store()
SESSIONS = Sessions()
QUEUE = DeviceQueue()
WATCH = Watch(PREVIEW_EVERY_S, guidance=True)  # previews while it works, and the guidance scope afterwards


def compare(machine: Machine, request: Request, session: str | None) -> Iterator[Shown]:
    """Yield what the page shows; closing it stops the work within one denoising step and keeps what is finished."""
    with QUEUE.held(session), job_folder() as folder:
        yield bar(words.LOADING), None, gr.skip(), None
        job = _begun(machine, request, request.runs, session)
        try:
            yield bar(words.LOADING), None, _input_alone(job, folder), None
            for line, preview, stage in _watched(machine, job, folder):
                yield line, preview, stage, None
            yield from conclude(job, folder)
            job.shown = True
            learn_job(machine, job)
        finally:
            job.stopped.set()


def _input_alone(job: ComparisonJob, folder: Path) -> object:
    """Return the stage with the visitor's own clip, which is there before anything is made of it."""
    path = folder / "input.mp4"
    return shown(path, stack_layers(path, {INPUT: job.bicubic}, job.material.fps))


def run_sweep(machine: Machine, request: Request, strengths: tuple[float, ...], session: str | None) -> Iterator[Swept]:
    """Run MGLD at every strength and yield progress, then the small multiples; what was run before is taken from memory."""
    with QUEUE.held(session), job_folder() as folder:
        yield bar(words.LOADING), None, None, "", gr.skip()
        job = _begun(machine, request, sweep.runs_of(request, strengths), session, least_frames=2)
        try:
            for line, preview, _ in _watched(machine, job, None):
                yield line, preview, None, "", gr.skip()
            yield bar(words.MEASURING, 1.0), None, None, "", gr.skip()
            figures, path = sweep.measure_sweep(job), folder / "stage.mp4"
            stage = shown(path, write_stage(path, sweep.layers_of(job), job.material.fps, figures), notes_of(figures))
            drawn = sweep.picture(job, strengths, figures)
            yield bar(words.SWEEP_DONE), None, drawn, sweep.as_markdown(strengths, figures), stage
            job.shown = True
            learn_runs(machine, job)
        finally:
            job.stopped.set()


def _begun(
    machine: Machine, request: Request, runs: dict[str, Settings], session: str | None, least_frames: int = 1
) -> ComparisonJob:
    """Read what is needed, predict how long it takes, and remember the job as the visitor's."""
    ahead = extent_of(request)
    check_fits(
        machine.device, request, (ahead.height, ahead.width), ahead.frames
    )  # before anything large is made of it
    job = begin(request, runs)
    if len(job.material.clip) < least_frames:
        raise too_few_frames()
    clip, layers = job.material.clip, 1 + len(runs) + len(job.material.given)
    size_hw = clip[0].rgb_u8.shape[:2]
    part, wanted = job.material.part, list(runs.values())
    job.predicted_s = predict(machine, part, wanted, size_hw, len(clip), layers, STORE).seconds
    QUEUE.predict(session, job.predicted_s)
    SESSIONS.put(session, job)
    return job


def _watched(machine: Machine, job: ComparisonJob, folder: Path | None) -> Iterator[tuple[str, object, object]]:
    """Yield (line, preview, growing comparison in folder, if there is one) while every run of a job is made."""
    clock, growing = Countdown(machine, job), Growing(job, folder)
    with closing(produce(machine, job, STORE, WATCH)) as events:
        for layer, event in events:
            if isinstance(event, (FramesDone, Preview)):
                growing.preview = event.rgb_u8 if isinstance(event, Preview) else event.frames_u8[-1]
            if isinstance(event, Result):
                job.made[layer] = event.report
            if isinstance(event, (Progress, Result)):
                yield clock.line(layer, event), *growing.now()


def conclude(job: ComparisonJob, folder: Path) -> Iterator[Shown]:
    """Measure and show what there is, then write its files; also after Cancel."""
    yield bar(words.MEASURING, 1.0), gr.skip(), gr.skip(), None
    started, layers = time.monotonic(), job.layers()
    count = len(next(iter(layers.values())))
    job.figures = measure(layers, job.borders_of(count), job.request.knobs.flow)
    path = folder / "stage.mp4"
    stage = shown(path, write_stage(path, layers, job.material.fps, job.figures), _notes(job))
    job.showing_s = time.monotonic() - started
    job.taken_s += job.showing_s
    done = bar(done_text(job, count))
    yield bar(words.WRITING, 1.0), None, stage, None
    job.taken = Takeaway(outcome_of(job))
    yield done, None, stage, listed(job.taken)


def _notes(job: ComparisonJob) -> list[str]:
    """Return what stands under the table: how it is read, what is odd about clip and runs, who saw what, what the model is for."""
    clip = [words.CLIP_NOTE.format(note=note) for note in job.material.notes]
    told = [(label_of(layer), note) for layer, report in job.reports().items() for note in report.get("notes", ())]
    runs = [words.RUN_NOTE.format(layer=layer, note=note) for layer, note in told]
    filtered = words.filtered({layer: job.runs[layer] for layer in job.finished})
    small = [words.SMALL_MODEL] if job.request.model == DEFAULT_MODEL else []
    return [*notes_of(job.figures), *clip, *runs, *filtered, *small]


def keep_what_is_finished(session: str | None) -> Iterator[Shown]:
    """After Cancel: show what the stopped job had finished, or say that there was nothing."""
    job = SESSIONS.get(session)
    if job is None or job.shown:
        yield bar(words.CANCELLED_UNBEGUN), None, gr.skip(), gr.skip()
        return
    job.stopped.wait(30)  # the step that is under way still ends
    layers, job.shown = job.layers(), True
    if not layers:
        yield bar(words.CANCELLED), None, gr.skip(), gr.skip()
        return
    with in_gradios_words(), job_folder() as folder:
        kept = words.counted(words.FRAMES, len(next(iter(layers.values()))))
        for line, preview, stage, files in conclude(job, folder):
            is_shown = isinstance(stage, Comparison)
            yield bar(words.CANCELLED_KEPT.format(frames=kept)) if is_shown else line, preview, stage, files


def done_text(job: ComparisonJob, frames: int) -> str:
    """Say what was done by which model, how long it took and how long it was thought to take."""
    reports = [report for report in job.reports().values() if report]
    text = words.DONE.format(
        frames=words.counted(words.FRAMES, frames),
        taken=words.seconds(job.taken_s),
        model=name_of(job.request.model),
        device=words.device(reports[0]["device"]) if reports else "",
    )
    text += words.PREDICTED.format(range=predicted(job.predicted_s)) if job.predicted_s else ""
    return text + "".join(words.RESUMED.format(method=label_of(n), there=told(r)) for n, r in job.resumed.items())


def predicted(seconds: float) -> str:
    """Say how long something will take, as a range that holds in most runs."""
    return words.span(*(share * seconds for share in PREDICTED_RANGE))


class Countdown:
    """The progress line: which method and stage, and the seconds left of the whole job."""

    def __init__(self, machine: Machine, job: ComparisonJob) -> None:
        part, clip, self._resumed = job.material.part, job.material.clip, job.resumed
        runs = {layer: wanted for layer, wanted in job.runs.items() if STORE.result(part, wanted) is None}
        size_hw = clip[0].rgb_u8.shape[:2]
        self._ahead_s = {
            layer: predict(machine, part, [wanted], size_hw, len(clip), 0, STORE).seconds or 1.0
            for layer, wanted in runs.items()
        }
        self._frames, self._order = len(clip), list(runs)
        self._least_s = float("inf")

    def line(self, layer: str, event: Progress | Result) -> str:
        """Return the line after an event of a layer's run."""
        done = event.done if isinstance(event, Progress) else self._frames
        share, index = done / self._frames, self._order.index(layer)
        passed = sum(self._ahead_s[name] for name in self._order[:index]) + share * self._ahead_s[layer]
        own_s = getattr(event, "seconds_left", None)
        left_s = self._ahead_s[layer] * (1 - share) if own_s is None else own_s
        left_s += sum(self._ahead_s[name] for name in self._order[index + 1 :])
        self._least_s = min(self._least_s, left_s)  # an estimate that rises again helps nobody
        text = words.WORKING.format(
            method=label_of(layer),
            number=index + 1,
            count=len(self._order),
            stage=words.STAGES[event.stage if isinstance(event, Progress) else "decode"],
            done=int(done),
            total=self._frames,
            left=predicted(self._least_s),
        )
        if (resumed := self._resumed.get(layer)) is not None:
            text += words.RESUMED_NOW.format(there=told(resumed))
        return bar(text, passed / sum(self._ahead_s.values()))


class Growing:
    """What is seen while a job runs: the newest preview, and now and then the comparison of what is finished."""

    def __init__(self, job: ComparisonJob, folder: Path | None) -> None:
        self._job, self._folder = job, folder
        self.preview: np.ndarray | None = None
        self._seen, self._next = 0, 0.0

    def now(self) -> tuple[object, object]:
        """Return (preview, comparison), each skipped where there is nothing new or it would take too much of the time."""
        preview, self.preview = (gr.skip() if self.preview is None else self.preview), None
        frames = sum(map(len, self._job.parts)) + sum(len(run.frames_u8) for run in self._job.finished.values())
        if self._folder is None or frames <= self._seen or time.monotonic() < self._next:
            return preview, gr.skip()
        started, self._seen = time.monotonic(), frames
        layers = self._job.layers()
        borders = self._job.borders_of(len(next(iter(layers.values()))))
        path, pair = self._folder / f"partial-{frames}.mp4", _newest_two(self._job, list(layers))
        stage = stack_layers(path, layers, self._job.material.fps, borders, pair=pair)
        self._next = time.monotonic() + PARTIAL_SHARE * (time.monotonic() - started)
        return preview, shown(path, stage)


def _newest_two(job: ComparisonJob, order: list[str]) -> tuple[int, int]:
    """Return the two layers that a growing comparison shows first: what is being made, beside what was made before it."""
    made = [name for name in order if name in job.runs]
    return (order.index(made[-2]) if len(made) > 1 else 0), order.index(made[-1])


@contextmanager
def job_folder() -> Iterator[Path]:
    folder = WorkFolder("mgld-job-")  # a name of our own: nothing from the request becomes a path
    try:
        yield folder.path
    finally:
        folder.close()
        memory.give_back()  # each job works in a thread of its own


@contextmanager
def in_gradios_words(files: Iterable[str | None] = ()) -> Iterator[None]:
    """Turn a sentence for a person into Gradio's, without the places of the visitor's files; everything else stays unseen."""
    try:
        yield
    except UserError as error:
        raise gr.Error(html.escape(words.for_visitors(str(error), files)), print_exception=False) from error
