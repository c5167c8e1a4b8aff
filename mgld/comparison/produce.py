"""The loop that makes every result of a comparison, from memory or on the device; the page and the command line listen to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field

from mgld.comparison.job import ComparisonJob
from mgld.comparison.pace import Pace
from mgld.comparison.store import Store
from mgld.events import Event, Result
from mgld.presets import offered
from mgld.segment import Watch
from mgld.settings import Settings
from mgld.sharing import sampled_as
from mgld.worker import DeviceJob


@dataclass(frozen=True)
class Machine:
    """Where jobs run: the device and its precision, and run_all of mgld.worker, wrapped where a host lends its GPU by the call.

    busy is set while a job has the device: the calibration steps aside, nobody measures its pace. lent says that a host lends the
    GPU to each job. models are what visitors may choose, by what they are called.
    """

    device: str
    run_all: Callable[[DeviceJob], Iterator[tuple[int, Event]]]
    dtype: str = "auto"
    lent: bool = False
    busy: threading.Event = field(default_factory=threading.Event)
    models: Mapping[str, str] = field(default_factory=offered)
    pace: Pace = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "pace", Pace("cuda" if self.lent else self.device)
        )  # a lent device is never a processor

    def pace_s(self) -> float:
        """Return how fast the device is now, or was before the job that has it, which would count against itself."""
        return self.pace.last_s if self.busy.is_set() else self.pace.now_s()


def produce(machine: Machine, job: ComparisonJob, store: Store, watch: Watch) -> Iterator[tuple[str, Event]]:
    """Fill job.finished with every run, and yield (layer, event) of those that the device has to make.

    Closing it stops the device within one denoising step; what segments came to until then stays in the store.
    """
    started, part = time.monotonic(), job.material.part
    for layer, wanted in job.runs.items():
        if (found := store.result(part, wanted)) is not None:
            job.finished[layer], job.guided[layer] = found, store.guided(part, wanted)
    missing = {layer: wanted for layer, wanted in job.runs.items() if layer not in job.finished}
    if missing:
        yield from _made(machine, job, store, watch, missing)
        job.finished = {layer: job.finished[layer] for layer in job.runs}  # in the order that was asked for
    job.taken_s += time.monotonic() - started


def _made(
    machine: Machine, job: ComparisonJob, store: Store, watch: Watch, missing: dict[str, Settings]
) -> Iterator[tuple[str, Event]]:
    """Run on the device what is not in memory, in one call; keep every finished segment as it comes."""
    part, layers, runs = job.material.part, list(missing), list(missing.values())
    latents = {sampled_as(wanted): dict(store.sampling(part, wanted).latents) for wanted in runs}
    clip, source = job.material.clip, asdict(part)
    asked = DeviceJob(job.request.model, machine.device, clip, runs, latents, watch, machine.dtype, source)
    events = machine.run_all(asked)
    machine.busy.set()
    try:
        for index, event in events:
            layer, wanted = layers[index], runs[index]
            job.take(layer, event)
            store.remember(part, wanted, event)
            if isinstance(event, Result):
                store.keep(part, wanted, job.finish(event.report))
                job.guided[layer] = store.guided(part, wanted)
            yield layer, event
    finally:
        machine.busy.clear()
        events.close()
