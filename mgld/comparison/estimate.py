"""What a request will take, from the cost model of its model: the only place where the page asks for seconds and bytes."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from mgld import host, memory, worker
from mgld.comparison import refusals
from mgld.comparison.cost import SHOWING, CostModel, canvas_megapixels, watched
from mgld.comparison.figures import measure, write_stage
from mgld.comparison.job import ComparisonJob
from mgld.comparison.layers import INPUT
from mgld.comparison.produce import Machine
from mgld.comparison.request import Extent, Request, part_of
from mgld.comparison.store import ClipPart, Store
from mgld.constants import SCALE
from mgld.events import Event
from mgld.methods import COMPARED, segment_count
from mgld.settings import Settings
from mgld.sharing import sampled_as
from mgld.video.writer import WORST_H264, check_disk
from mgld.worker import DeviceJob

COPIES = 4  # of a result's video: while it is muxed, to take home, in the zip, and as the page serves it
ROOM_SHARE = 0.8  # of the memory that is free: others live on this machine too
SHOWN_SIDES, SHOWN_FRAMES = (128, 384), 5  # of the comparison that is timed; the first opens the network that judges


@dataclass(frozen=True)
class Needed:
    """Predicted seconds (0 while unknown) and bytes (None while unknown) of a job."""

    seconds: float
    memory_bytes: float | None


@lru_cache(maxsize=8)
def cost_of(model: str) -> CostModel:
    """Return the one cost model of a network."""
    return CostModel()


@lru_cache(maxsize=256)
def megapixels_of(model: str, device: str, height: int, width: int) -> float:
    """Return the canvas of a low-quality frame, in megapixels."""
    return canvas_megapixels(worker.open_pipeline(model, device), height, width)


def predict(
    machine: Machine,
    part: ClipPart,
    runs: Sequence[Settings],
    size_hw: tuple[int, int],
    frames: int,
    layers: int,
    store: Store,
) -> Needed:
    """Predict a job: what memory already holds costs nothing, what is only decoded again costs that."""
    cost = cost_of(part.model)
    if not cost.ready:
        return Needed(0.0, None)
    megapixels = megapixels_of(part.model, machine.device, *size_hw)
    missing = [r for r in runs if store.result(part, r) is None]
    work, sampled = 0.0, set()
    for wanted in missing:
        known = sampled_as(wanted) in sampled or store.is_sampled(part, wanted, segment_count(wanted, frames))
        work += cost.work(wanted, frames, megapixels, known)
        sampled.add(sampled_as(wanted))  # what one run samples, the next that samples the same takes from it
    peak_bytes = _memory_bytes(cost, missing, frames, size_hw, layers, megapixels)
    large = SCALE**2 * size_hw[0] * size_hw[1]
    work = cost.overhead * work + cost.showing_work(layers, frames, large / 1e6)
    return Needed(_watched_pace_s(machine) * work, peak_bytes)


def _watched_pace_s(machine: Machine) -> float:
    """Predict the pace beside those who watch, unless the present one already has as much in it: a page that plays, say."""
    now_s = machine.pace_s()
    return max(now_s, watched(machine.device) * machine.pace.best_s)


def needed(machine: Machine, request: Request, extent: Extent, store: Store) -> Needed:
    """Predict a request whose clip has been looked at."""
    part, size_hw = part_of(request, extent.frames), (extent.height, extent.width)
    return predict(machine, part, list(request.runs.values()), size_hw, extent.frames, request.layers, store)


def check_fits(device: str, request: Request, size_hw: tuple[int, int], frames: int) -> None:
    """Refuse what this machine's disk or memory cannot hold, with the largest part or the longest clip that memory can."""
    large_px = (
        SCALE**2 * size_hw[0] * size_hw[1] * frames * (request.layers + 1)
    )  # the comparison is as large as all of them
    check_disk(Path(tempfile.gettempdir()), COPIES * WORST_H264 * large_px)
    room = memory.room_bytes()
    runs = list(request.runs.values())

    def needs(count: int, share: float) -> float:
        size = int(size_hw[0] * share), int(size_hw[1] * share)
        return _floor_bytes(request.model, device, runs, count, size, request.layers)

    if room is None or needs(frames, 1.0) <= ROOM_SHARE * room:
        return
    fits = [count for count in range(1, frames) if needs(count, 1.0) <= ROOM_SHARE * room]
    shares = [p / 100 for p in range(5, 100, 5) if needs(frames, p / 100) <= ROOM_SHARE * room]
    raise refusals.memory_too_small(needs(frames, 1.0), room, max(shares, default=None), max(fits, default=None))


def _floor_bytes(
    model: str, device: str, runs: Sequence[Settings], frames: int, size_hw: tuple[int, int], layers: int
) -> float:
    """Return what a job needs at least: the frames of all layers, and the networks' peak where it is known."""
    cost, held = cost_of(model), _held_bytes(size_hw, frames, layers)
    if not cost.ready or device.startswith("cuda"):
        return held
    megapixels = megapixels_of(model, device, *size_hw)
    return _memory_bytes(cost, runs, frames, size_hw, layers, megapixels) or held


def _memory_bytes(
    cost: CostModel, runs: Sequence[Settings], frames: int, size_hw: tuple[int, int], layers: int, megapixels: float
) -> float | None:
    peaks = [p for r in runs if (p := cost.memory_bytes(r, frames, megapixels)) is not None]
    return max(peaks) + _held_bytes(size_hw, frames, layers) if peaks else None


def _held_bytes(size_hw: tuple[int, int], frames: int, layers: int) -> float:
    """Return the bytes of every layer's frames, which a comparison holds until it is looked at no more."""
    return 3.0 * SCALE**2 * size_hw[0] * size_hw[1] * frames * layers


def _learn_showing(model: str, machine: Machine, layers: dict[str, np.ndarray], seconds: float) -> None:
    count, height, width = next(iter(layers.values())).shape[:3]
    pieces = machine.pace_s() * len(layers) * count
    cost_of(model).learn_stage("", SHOWING, height * width / 1e6, seconds / pieces)


def gpu_seconds(job: DeviceJob) -> int:
    """Return how long to ask a shared GPU for; takes what run_all of mgld.worker takes."""
    lowest, highest = host.GPU_SECONDS
    cost, count = cost_of(job.model), len(job.clip)
    if not cost.ready:
        return host.GPU_SECONDS_UNKNOWN
    megapixels = megapixels_of(job.model, job.device, *job.clip[0].rgb_u8.shape[:2])
    known = [len(job.latents.get(sampled_as(wanted), ())) >= segment_count(wanted, count) for wanted in job.runs]
    # of a GPU, where a piece of work counts as a second
    seconds = sum(cost.work(run, count, megapixels, is_known) for run, is_known in zip(job.runs, known, strict=True))
    return int(min(max(math.ceil(1.5 * seconds) + 10, lowest), highest))


def learn_runs(machine: Machine, job: ComparisonJob) -> None:
    """Take how long its runs took on the device; looks at the machine's pace, which nobody should have to wait for."""
    whole = {layer: report for layer, report in job.made.items() if _was_whole(report)}
    if not whole:
        return
    model, clip = job.request.model, job.material.clip
    megapixels = megapixels_of(model, machine.device, *clip[0].rgb_u8.shape[:2])
    pace_s = math.sqrt(machine.pace.last_s * machine.pace.now_s())  # from when they were predicted until now
    for layer, report in whole.items():
        cost_of(model).learn(report, job.runs[layer], len(clip), megapixels, pace_s)


def _was_whole(report: dict) -> bool:
    """Say whether neither frames nor latents of a run were there already."""
    return not report["frames_resumed"] and {"condition", "sample"} <= set(report["seconds"])


def learn_job(machine: Machine, job: ComparisonJob) -> None:
    """Take how long a finished job's runs took, how much longer than their stages it did, and how long showing it."""
    if job.made:
        learn_runs(machine, job)
        stages_s = sum(sum(report["seconds"].values()) for report in job.made.values())
        cost_of(job.request.model).learn_overhead(job.taken_s - job.showing_s, stages_s)
    _learn_showing(job.request.model, machine, job.layers(), job.showing_s)


def calibrate(model: str, machine: Machine) -> None:
    """Measure this device's speed once, and how long showing takes; gives way to the first job."""

    def run(clip: list, wanted: Settings) -> Iterator[Event]:
        for _, event in machine.run_all(DeviceJob(model, machine.device, clip, [wanted])):
            yield event

    pipeline = worker.open_pipeline(model, machine.device)
    cost_of(model).measure(run, pipeline, lambda: not machine.busy.is_set(), machine.pace.now_s)
    if not machine.busy.is_set():
        _measure_showing(model, machine)


def _measure_showing(model: str, machine: Machine) -> None:
    with tempfile.TemporaryDirectory(prefix="mgld-") as folder:
        for side in SHOWN_SIDES:
            noise = np.random.default_rng(0).integers(0, 256, (SHOWN_FRAMES, side, side, 3), np.uint8)
            layers = {name: noise for name in (INPUT, *COMPARED)}
            started = time.monotonic()
            write_stage(Path(folder) / "stage.mp4", layers, 25.0, measure(layers, (), Settings().flow))
            seconds = time.monotonic() - started
    _learn_showing(model, machine, layers, seconds)
