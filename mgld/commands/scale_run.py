"""`benchmark --scale`: measure in order of weight until the time is up, and tell it in two short tables."""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

from mgld import errors
from mgld.commands import scale
from mgld.commands.benchmark import panned_noise
from mgld.commands.console import say
from mgld.commands.options import open_pipeline
from mgld.commands.published_work import ours_of, published_of, random_sd21
from mgld.commands.report import write_json
from mgld.device import best_dtype, device_of
from mgld.flow import load_flow
from mgld.pipeline import MGLDPipeline
from mgld.settings import CUDA_GRAPHS, SCALE

LARGER = (180, 320, 4)  # height and width in pixels, steps: a clip that takes several tiles
# What a section may take on a GPU.
NEEDED_S = {"parts": 10.0, "runs": 8.0, "kernels": 6.0, "larger": 10.0, "tuned": 20.0}


class Deadline:
    """Until when there is time, and what was left out for want of it."""

    def __init__(self, limit_s: float) -> None:
        self._end = time.monotonic() + limit_s
        self.left_out: list[str] = []

    def allows(self, section: str, what: str) -> bool:
        """Tell whether a section still fits in; note it if not."""
        fits = time.monotonic() + NEEDED_S[section] <= self._end
        if not fits:
            self.left_out.append(what)
        return fits


def run_scale(chosen: argparse.Namespace) -> None:
    """Measure the chosen scale, write the report after each section, print the tables."""
    wanted, deadline, started = scale.SCALES[chosen.scale], Deadline(chosen.time_limit), time.monotonic()
    if wanted.needs_gpu and device_of(chosen.device) == "cpu":
        raise errors.device_unusable("cpu", "this scale would take hours; --scale step measures one step of sd21")
    ours, published, weights = _pipelines(chosen, wanted)
    report = {"scale": chosen.scale, "frames": wanted.frames, "input_px": wanted.side_px, "weights": weights}
    report |= _machine(ours, time.monotonic() - started)

    def note() -> None:
        report.update(left_out=deadline.left_out, seconds=round(time.monotonic() - started, 1))
        if chosen.json:
            write_json(chosen.json, report)

    try:
        for _ in _sections(report, ours, published, wanted, deadline):
            note()
    finally:  # what was measured before something failed
        note()
        print(told(report, wanted))


def _pipelines(chosen: argparse.Namespace, wanted: scale.Scale) -> tuple[MGLDPipeline, MGLDPipeline, str]:
    """Return ours, the published schedule of work, and whose weights both have."""
    if wanted.model == "tiny":
        ours, weights = open_pipeline(argparse.Namespace(model="tiny", device=chosen.device, dtype="auto")), "tiny"
    else:
        say("making random weights of sd21's shapes")
        ours, weights = random_sd21(device_of(chosen.device)), "random"
    if wanted.steps:
        ours._flows[wanted.flow] = load_flow(wanted.flow, ours.device)
    published = published_of(ours)
    return ours_of(ours), published, weights


def _machine(ours: MGLDPipeline, load_s: float) -> dict[str, Any]:
    """Return what the figures were measured on."""
    on_gpu = ours.device.type == "cuda"
    dtype = getattr(torch, best_dtype(ours.device.type))
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    return {
        "device": torch.cuda.get_device_name() if on_gpu else f"CPU, {torch.get_num_threads()} threads",
        "date": time.strftime("%Y-%m-%d"),
        "dtype": str(dtype).removeprefix("torch."),
        "versions": versions,
        "load_s": round(load_s, 1),
        "matmul_tflops": round(scale.matmul_rate(ours.device, dtype) / 1e12, 3),
    }


def _sections(
    report: dict, ours: MGLDPipeline, published: MGLDPipeline, wanted: scale.Scale, deadline: Deadline
) -> Iterator[None]:
    """Fill the report, section by section."""
    on_gpu = ours.device.type == "cuda"
    report["operations"] = scale.count_operations(published, wanted)
    report["parts_s"] = {}
    rows = [("published", published, 0), ("ours, no graph", ours, 0), ("ours", ours, CUDA_GRAPHS)]
    for name, pipeline, graphs in rows if on_gpu else [rows[0], rows[2]]:
        if deadline.allows("parts", name):
            say(f"parts: {name}")
            pipeline._predicted.most = graphs
            report["parts_s"][name] = scale.time_parts(pipeline, wanted)
            yield
    report["runs"] = {}
    for steps in wanted.steps:
        if deadline.allows("runs", f"{steps} steps"):
            say(f"whole runs of {steps} steps")
            report["runs"][str(steps)] = _both_runs(ours, published, wanted, steps)
            yield
    if on_gpu:
        yield from _gpu_sections(report, ours, wanted, deadline)


def _both_runs(ours: MGLDPipeline, published: MGLDPipeline, wanted: scale.Scale, steps: int) -> dict[str, Any]:
    """Return seconds per frame and peak memory of both, and how far their results are apart."""
    clip = panned_noise(wanted.frames, wanted.side_px)
    for pipeline in (ours, published):  # the first run of a shape is slower than all others
        scale.whole_run(pipeline, clip, scale.settings_of(wanted, 1))
    theirs, own = (scale.whole_run(p, clip, scale.settings_of(wanted, steps)) for p in (published, ours))
    result: dict[str, Any] = {"levels_apart": scale.apart(own["u8"], theirs["u8"])}
    for name, run, other in (("published", theirs, ours), ("ours", own, published)):
        held = scale.weight_bytes(other) if ours.device.type == "cuda" else 0
        result[name] = {
            "seconds_per_frame": run["seconds"] / wanted.frames, "stages_s": run["stages"], "peak_bytes": run["peak_bytes"] - held
        }  # fmt: skip
    return result


def _gpu_sections(report: dict, ours: MGLDPipeline, wanted: scale.Scale, deadline: Deadline) -> Iterator[None]:
    """Look closer at ours: its kernels, a clip of several tiles, and cuDNN's own choice of algorithms."""
    report["checks"] = scale.checks(ours, wanted)
    yield
    if deadline.allows("kernels", "kernels"):
        report["kernels"] = {name: scale.kernels(work) for name, work in _closer(ours, wanted).items()}
        yield
    if deadline.allows("larger", "several tiles"):
        report["larger"] = _larger(ours, wanted)
        yield
    if deadline.allows("tuned", "cudnn.benchmark"):
        say("cudnn.benchmark")
        torch.backends.cudnn.benchmark = True
        ours._predicted.forget()
        report["parts_s"]["ours, cudnn.benchmark"] = scale.time_parts(ours, wanted)
        torch.backends.cudnn.benchmark = False
        yield


def _closer(ours: MGLDPipeline, wanted: scale.Scale) -> dict[str, Callable[[], Any]]:
    parts = scale.works(ours, wanted)
    return {name: torch.no_grad()(parts[name]) for name in scale.COUNTED}


def _larger(ours: MGLDPipeline, wanted: scale.Scale) -> dict[str, Any]:
    """Return the seconds per frame of a run on 5 frames that need several tiles, after a run that does not count."""
    height, width, steps = LARGER
    clip = panned_noise(5, width)[:, :height]
    scale.whole_run(ours, clip, scale.settings_of(wanted, 1))
    run = scale.whole_run(ours, clip, scale.settings_of(wanted, steps))
    return {
        "output": f"{SCALE * width}x{SCALE * height}", "steps": steps, "seconds_per_frame": run["seconds"] / len(clip),
        "stages_s": run["stages"], "peak_bytes": run["peak_bytes"],
    }  # fmt: skip


def told(report: dict, wanted: scale.Scale) -> str:
    """Return the report as short Markdown: parts, whole runs, what was left out."""
    size = f"{wanted.side_px}→{SCALE * wanted.side_px}, {wanted.frames} frames"
    head = (
        f"{wanted.model} ({report['weights']} weights), {size}, {report['device']}, {report['date']}, {report['dtype']}"
    )
    lines = [f"{head}; matmul {report['matmul_tflops']:.3g} TFLOP/s; {report.get('seconds', 0):.0f} s in all", ""]
    lines += _parts_table(report)
    if report.get("runs"):
        lines += ["", *_runs_table(report["runs"])]
    if "larger" in report:
        larger = report["larger"]
        lines += ["", f"{larger['output']}, {larger['steps']} steps: {larger['seconds_per_frame']:.3f} s per frame"]
    for name, found in report.get("kernels", {}).items():
        lines += ["", f"{name}: {found['launches']} launches, {found['ms']:.1f} ms"]
        lines += [f"  {ms:8.3f} ms {count:5d} x {kernel}" for kernel, count, ms in found["longest"][:6]]
    if "checks" in report:
        lines += ["", "relative distances: " + ", ".join(f"{name} {far:.1e}" for name, far in report["checks"].items())]
    if report.get("left_out"):
        lines += ["", "left out for want of time: " + ", ".join(report["left_out"])]
    return "\n".join(lines)


def _parts_table(report: dict) -> list[str]:
    """Return rows of ms per call, TFLOP/s and the share of the device's own matmul rate."""
    parts = report.get("parts_s", {})
    names = [name for name in scale.PARTS if name in next(iter(parts.values()), {})]
    rows = [["ms per call", *names, *(f"{name} TFLOP/s" for name in report.get("operations", ()))]]
    for name, spent in parts.items():
        rates = [count / spent[part] / 1e12 for part, count in report["operations"].items()]
        shares = [f"{rate:.3g} ({100 * rate / report['matmul_tflops']:.0f} %)" for rate in rates]
        rows.append([name, *(f"{1000 * spent[part]:.2f}" for part in names), *shares])
    return _markdown(rows)


def _runs_table(runs: dict) -> list[str]:
    rows = [["steps", "published s/frame", "ours s/frame", "ratio", "peak GiB", "levels apart: largest, mean"]]
    for steps, run in runs.items():
        theirs, own = run["published"], run["ours"]
        spent = [side["seconds_per_frame"] for side in (theirs, own)]
        peaks = " / ".join(f"{side['peak_bytes'] / 2**30:.1f}" for side in (theirs, own))
        levels = f"{run['levels_apart']['largest']}, {run['levels_apart']['mean']:.3f}"
        rows.append([steps, f"{spent[0]:.4f}", f"{spent[1]:.4f}", f"{spent[0] / spent[1]:.2f}", peaks, levels])
    return _markdown(rows)


def _markdown(rows: list[list[str]]) -> list[str]:
    rows = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return [f"| {' | '.join(row)} |" for row in rows]
