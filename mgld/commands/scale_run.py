"""`benchmark --scale`: measure in order of worth until the time is up; what fails is named, and costs the rest nothing."""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from mgld import errors
from mgld.commands import refusals, scale
from mgld.commands.benchmark import SCALES, Scale, panned_noise
from mgld.commands.console import say
from mgld.commands.options import open_pipeline
from mgld.commands.published_work import ours_of, published_of, random_sd21
from mgld.commands.report import write_json
from mgld.commands.scale_told import summary, told
from mgld.constants import SCALE
from mgld.device import best_dtype, device_of
from mgld.host import CUDA_GRAPHS
from mgld.pipeline import MGLDPipeline
from mgld.stages.motion import flow_network

LARGER = (180, 320, 4)  # height and width in pixels, steps: a clip that takes several tiles
OWN_CHOICES = 4  # algorithms that cuDNN tries of each convolution where it is to choose by measuring


class Section(NamedTuple):
    """Something to measure: what it is called, the seconds it may take on a GPU, and what fills its part of the report."""

    name: str
    needed_s: float
    measure: Callable[[], Any]


class Bench:
    """The report of one benchmark: filled section by section, written and kept whatever happens to the next one."""

    def __init__(self, chosen: argparse.Namespace, wanted: Scale) -> None:
        self._started, self._end, self._place = time.monotonic(), time.monotonic() + chosen.time_limit, chosen.json
        self.wanted, self.graphs = wanted, CUDA_GRAPHS
        self.ours, self.published, weights = _pipelines(chosen, wanted)
        self.on_gpu = self.ours.device.type == "cuda"
        self.dtype = getattr(torch, best_dtype(self.ours.device.type))
        self.report: dict[str, Any] = {
            "scale": chosen.scale, "frames": wanted.frames, "input_px": wanted.side_px, "weights": weights,
            "device": torch.cuda.get_device_name() if self.on_gpu else f"CPU, {torch.get_num_threads()} threads",
            "date": time.strftime("%Y-%m-%d"), "dtype": str(self.dtype).removeprefix("torch."),
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
            "load_s": self._spent(), "parts_s": {}, "runs": {}, "failed": {}, "left_out": [],
        }  # fmt: skip

    def take(self, section: Section) -> None:
        """Measure a section if there is time; name what went wrong, and note what is known so far."""
        if time.monotonic() + section.needed_s > self._end:
            self.report["left_out"].append(section.name)
        else:
            say(f"{self._spent():6.1f} s: {section.name}")
            try:
                section.measure()
            except (
                Exception
            ) as error:  # whatever it is, what was measured before and what can be measured after it counts
                self.report["failed"][section.name] = f"{type(error).__name__}: {error}"[:600]
                say(f"{section.name} failed: {self.report['failed'][section.name]}")
        self.note()

    def note(self) -> None:
        """Write what is known so far; what is no finite number becomes a word."""
        self.report |= {"seconds": self._spent(), "summary": summary(self.report)}
        if self._place:
            write_json(self._place, json.loads(json.dumps(self.report), parse_constant=str))

    def _spent(self) -> float:
        return round(time.monotonic() - self._started, 1)

    def sections(self) -> Iterator[Section]:
        """Yield what is measured, most wanted first."""
        yield Section("matrix product", 0, self._matmul)
        yield Section("operations", 0, self._operations)
        yield Section("published", 8, lambda: self._parts("published", self.published, 0))
        yield Section("ours", 8, lambda: self._parts("ours", self.ours, self.graphs))
        order = sorted(self.wanted.steps, key=lambda steps: steps != max(self.wanted.steps))
        yield from (Section(f"{steps} steps", 6, lambda steps=steps: self._runs(steps)) for steps in order[:2])
        if self.on_gpu:
            yield from (Section(f"kernels: {part}", 3, lambda part=part: self._kernels(part)) for part in scale.COUNTED)
            yield Section("ours, no graph", 5, lambda: self._parts("ours, no graph", self.ours, 0))
            yield Section("coding as graphs", 4, self._coding_graphs)
            yield Section("checks", 3, self._checks)
            yield Section("several tiles", 10, self._larger)
        yield from (Section(f"{steps} steps", 4, lambda steps=steps: self._runs(steps)) for steps in order[2:])
        if self.on_gpu:
            yield Section("cudnn.benchmark", 15, self._tuned)

    def _matmul(self) -> None:
        self.report["matmul_tflops"] = round(scale.matmul_rate(self.ours.device, self.dtype) / 1e12, 3)

    def _operations(self) -> None:
        self.report["operations"] = scale.count_operations(self.published, self.wanted)

    def _parts(self, name: str, pipeline: MGLDPipeline, graphs: int) -> None:
        pipeline.networks.predicted.most = graphs
        scale.time_parts(pipeline, self.wanted, self.report["parts_s"].setdefault(name, {}))

    def _runs(self, steps: int) -> None:
        """Measure whole runs of both: seconds per frame, peak memory, and how far their results are apart."""
        clip, done = panned_noise(self.wanted.frames, self.wanted.side_px), {}
        kept = self.report["runs"].setdefault(str(steps), {})
        self.ours.networks.predicted.most = self.graphs
        for name, pipeline, other in (
            ("ours", self.ours, self.published), ("published", self.published, self.ours),
        ):  # fmt: skip
            scale.whole_run(
                pipeline, clip, scale.settings_of(self.wanted, 1)
            )  # the first run of a shape is the slowest
            run = scale.whole_run(pipeline, clip, scale.settings_of(self.wanted, steps))
            held = scale.weight_bytes(other) if self.on_gpu else 0
            kept[name] = {
                "seconds_per_frame": run["seconds"] / self.wanted.frames,
                "stages_s": run["stages"], "peak_bytes": run["peak_bytes"] - held,
            }  # fmt: skip
            done[name] = run["u8"]
        kept["levels_apart"] = scale.apart(done["ours"], done["published"])

    def _kernels(self, part: str) -> None:
        self.ours.networks.predicted.most = 0  # launched one by one, each is known by the call that launched it
        work = torch.no_grad()(scale.works(self.ours, self.wanted)[part])
        self.report.setdefault("kernels", {})[part] = scale.kernels(work)

    def _coding_graphs(self) -> None:
        scale.time_coding_graphs(self.ours, self.wanted, self.report["parts_s"].setdefault("ours, all as graphs", {}))

    def _checks(self) -> None:
        self.ours.networks.predicted.most = self.graphs
        self.report["checks"] = scale.checks(self.ours, self.wanted)

    def _larger(self) -> None:
        """Measure a run on 5 frames that need several tiles of one canvas, after a run that does not count."""
        height, width, steps = LARGER
        self.ours.networks.predicted.most = self.graphs
        clip = panned_noise(5, width)[:, :height]
        wanted = replace(scale.settings_of(self.wanted, steps), tiling="canvas")
        scale.whole_run(self.ours, clip, replace(wanted, steps=1))
        run = scale.whole_run(self.ours, clip, wanted)
        self.report["larger"] = {
            "output": f"{SCALE * width}x{SCALE * height}", "steps": steps, "seconds_per_frame": run["seconds"] / len(clip),
            "stages_s": run["stages"], "peak_bytes": run["peak_bytes"] - scale.weight_bytes(self.published),
        }  # fmt: skip

    def _tuned(self) -> None:
        """Measure what cuDNN's own choice among algorithms is worth, and what choosing costs."""
        torch.backends.cudnn.benchmark, torch.backends.cudnn.benchmark_limit = True, OWN_CHOICES
        self.ours.networks.predicted.forget()
        started = time.monotonic()
        try:
            self._parts("ours, cudnn.benchmark", self.ours, self.graphs)
        finally:
            torch.backends.cudnn.benchmark = False
        self.report["tuning_s"] = round(time.monotonic() - started, 1)


def run_scale(chosen: argparse.Namespace) -> None:
    """Measure the chosen scale, write the report after each section, print the tables; UserError at the end if one failed."""
    wanted = SCALES[chosen.scale]
    if wanted.needs_gpu and device_of(chosen.device) == "cpu":
        raise errors.device_unusable("cpu", "this scale would take hours; --scale step measures one step of sd21")
    bench = Bench(chosen, wanted)
    try:
        for section in bench.sections():
            bench.take(section)
    finally:  # what was measured before somebody stopped it
        bench.note()
        print(told(bench.report, wanted))
    if bench.report["failed"]:
        raise refusals.sections_failed(list(bench.report["failed"]))


def _pipelines(chosen: argparse.Namespace, wanted: Scale) -> tuple[MGLDPipeline, MGLDPipeline, str]:
    """Return ours, the published schedule of work, and whose weights both have."""
    if wanted.model == "tiny":
        ours, weights = open_pipeline(argparse.Namespace(model="tiny", device=chosen.device, dtype="auto")), "tiny"
    else:
        say("making random weights of sd21's shapes")
        ours, weights = random_sd21(device_of(chosen.device)), "random"
    if wanted.steps:
        flow_network(ours.networks, scale.settings_of(wanted, 1))  # before it is copied
    published = published_of(ours)
    return ours_of(ours), published, weights
