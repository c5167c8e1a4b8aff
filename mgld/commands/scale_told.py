"""What `benchmark --scale` tells: one summary for programs, short tables for people."""

from __future__ import annotations

from typing import Any

from mgld.commands import scale
from mgld.commands.benchmark import Scale
from mgld.constants import SCALE

PER_FRAME = ("encode", "decode", "flow")


def summary(report: dict) -> dict[str, Any]:
    """Return ms per frame and per step, rates and their shares of the device's own, and seconds per frame with their ratio."""
    parts, frames = report["parts_s"], report["frames"]
    found: dict[str, Any] = {"load_s": report["load_s"], "matmul_tflops": report.get("matmul_tflops")}
    for part in PER_FRAME:
        found[f"{part}_ms_per_frame"] = _each(parts, part, 1000 / frames)
    found["step_ms"] = _each(parts, "denoise", 1000)
    found["tflops"] = {name: rates_of(report, name) for name in parts}
    found["share_of_matmul"] = {
        name: {part: round(rate / report["matmul_tflops"], 3) for part, rate in rates.items()}
        for name, rates in found["tflops"].items() if report.get("matmul_tflops")
    }  # fmt: skip
    found["runs"] = {steps: _run(run) for steps, run in report["runs"].items()}
    return found


def _each(parts: dict, part: str, factor: float) -> dict[str, float]:
    return {name: round(factor * spent[part], 3) for name, spent in parts.items() if part in spent}


def rates_of(report: dict, name: str) -> dict[str, float]:
    """Return the TFLOP/s of each part that is counted and was timed."""
    spent = report["parts_s"][name]
    counted = report.get("operations", {}).items()
    return {part: round(count / spent[part] / 1e12, 4) for part, count in counted if part in spent}


def _run(run: dict) -> dict[str, Any]:
    sides = {name: run[name]["seconds_per_frame"] for name in ("published", "ours") if name in run}
    told: dict[str, Any] = {f"{name}_s_per_frame": round(spent, 4) for name, spent in sides.items()}
    told |= {f"{name}_peak_gib": round(run[name]["peak_bytes"] / 2**30, 2) for name in sides}
    if len(sides) == 2:
        told["ratio"] = round(sides["published"] / sides["ours"], 3)
    return told | ({"largest_levels_apart": run["levels_apart"]["largest"]} if "levels_apart" in run else {})


def told(report: dict, wanted: Scale) -> str:
    """Return the report as short Markdown: parts, whole runs, kernels, what was left out and what failed."""
    size = f"{wanted.side_px}→{SCALE * wanted.side_px}, {wanted.frames} frames"
    head = (
        f"{wanted.model} ({report['weights']} weights), {size}, {report['device']}, {report['date']}, {report['dtype']}"
    )
    rate = f"{report['matmul_tflops']:.3g}" if "matmul_tflops" in report else "?"
    lines = [f"{head}; matmul {rate} TFLOP/s; loaded in {report['load_s']:.0f} s, {report['seconds']:.0f} s in all", ""]
    lines += [*_parts_table(report), "", *_runs_table(report)]
    if "larger" in report:
        larger = report["larger"]
        lines += ["", f"{larger['output']}, {larger['steps']} steps: {larger['seconds_per_frame']:.3f} s per frame"]
    for name, found in report.get("kernels", {}).items():
        lines += ["", *_kernels_told(name, found)]
    if "checks" in report:
        lines += ["", "relative distances: " + ", ".join(f"{name} {far:.1e}" for name, far in report["checks"].items())]
    if "tuning_s" in report:
        lines += ["", f"cudnn.benchmark: {report['tuning_s']:.0f} s with choosing"]
    if report["left_out"]:
        lines += ["", "left out for want of time: " + ", ".join(report["left_out"])]
    lines += [f"\nFAILED {name}: {error}" for name, error in report["failed"].items()]
    return "\n".join(lines)


def _kernels_told(name: str, found: dict) -> list[str]:
    lines = [f"{name}: {found['launches']} launches, {found['ms']:.1f} ms on the device"]
    lines += [f"  {ms:8.3f} ms {count:5d} x {kernel}" for kernel, count, ms in found["longest"]]
    lines += ["  by the call that launched them (of torch; our own kernels stand above):"]
    return lines + [f"  {ms:8.3f} ms {count:5d} x {call} {shapes}" for call, shapes, count, ms in found["calls"]]


def _parts_table(report: dict) -> list[str]:
    """Return rows of ms per call, TFLOP/s and the share of the device's own matmul rate."""
    parts, counted = report["parts_s"], report.get("operations", {})
    names = [name for name in scale.PARTS if any(name in spent for spent in parts.values())]
    rows = [["ms per call", *names, *(f"{name} TFLOP/s" for name in counted)]]
    for name, spent in parts.items():
        rates, own = rates_of(report, name), report.get("matmul_tflops", float("nan"))
        told = {part: f"{rate:.3g} ({100 * rate / own:.0f} %)" for part, rate in rates.items()}
        times = [f"{1000 * spent[part]:.2f}" if part in spent else "–" for part in names]
        rows.append([name, *times, *(told.get(part, "–") for part in counted)])
    return _markdown(rows)


def _runs_table(report: dict) -> list[str]:
    rows = [["steps", "published s/frame", "ours s/frame", "ratio", "peak GiB", "levels apart: largest, mean"]]
    for steps, run in report["runs"].items():
        if "levels_apart" in run:
            spent = [run[name]["seconds_per_frame"] for name in ("published", "ours")]
            peaks = " / ".join(f"{run[name]['peak_bytes'] / 2**30:.1f}" for name in ("published", "ours"))
            levels = f"{run['levels_apart']['largest']}, {run['levels_apart']['mean']:.3f}"
            rows.append([steps, f"{spent[0]:.4f}", f"{spent[1]:.4f}", f"{spent[0] / spent[1]:.2f}", peaks, levels])
    return _markdown(rows) if len(rows) > 1 else []


def _markdown(rows: list[list[str]]) -> list[str]:
    rows = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return [f"| {' | '.join(row)} |" for row in rows]
