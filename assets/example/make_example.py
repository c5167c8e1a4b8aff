"""Make the finished comparison that the page shows first, and what its tabs hold: `python assets/example/make_example.py`.

From the repository's root. Run it again whenever the shipped weights change; a test compares the manifest with them.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mgld import constants, host  # noqa: E402
from mgld.comparison import sweep  # noqa: E402
from mgld.comparison.ablation import table_3  # noqa: E402
from mgld.comparison.figures import measure, notes_of, told_of, write_stage  # noqa: E402
from mgld.comparison.job import ComparisonJob, begin  # noqa: E402
from mgld.comparison.layers import INPUT  # noqa: E402
from mgld.comparison.produce import Machine, produce  # noqa: E402
from mgld.comparison.report import outcome_of  # noqa: E402
from mgld.comparison.request import Request  # noqa: E402
from mgld.comparison.store import Store  # noqa: E402
from mgld.methods import COMPARED, OURS  # noqa: E402
from mgld.presets import describe_model  # noqa: E402
from mgld.segment import Watch  # noqa: E402
from mgld.settings import Settings  # noqa: E402
from mgld.ui import scope  # noqa: E402
from mgld.ui.first_sight import write_stills  # noqa: E402
from mgld.worker import run_all  # noqa: E402

HERE = Path(__file__).resolve().parent
CLIP = host.ASSETS / "clips" / "reef.mp4"
FRAMES = 16
SCOPED = "1/1"  # a pair of frames of the second segment


def main() -> None:
    """Run every method and the sweep on the clip; store the stage, the tabs' pictures and tables, and the manifest."""
    store, machine = Store(), Machine("auto", run_all)
    request = Request(CLIP, 0.0, FRAMES, OURS, Settings())
    job = _run(machine, request, request.runs, store)
    four = measure(job.layers(), job.borders_of(FRAMES), request.knobs.flow)
    shown = {name: job.layers()[name] for name in (INPUT, *COMPARED)}
    figures = measure(shown, job.borders_of(FRAMES), request.knobs.flow)
    stage = asdict(write_stage(HERE / "stage.mp4", shown, job.material.fps, figures))
    _write("stage.json", {"stage": stage, "notes": notes_of(figures)})
    write_stills(HERE)
    two = _run(machine, replace(request, methods=COMPARED), {name: request.runs[name] for name in COMPARED}, store)
    two.figures, two.taken_s = figures, sum(sum(run.report["seconds"].values()) for run in two.finished.values())
    _write("report.json", outcome_of(two).record)

    strengths = constants.SWEEP
    swept = _run(machine, replace(request, methods=("mgld",)), sweep.runs_of(request, strengths), store)
    of_sweep = sweep.measure_sweep(swept)
    _picture("sweep.webp", sweep.picture(swept, strengths, of_sweep))
    guided, summary = scope.figure(job, SCOPED)
    _picture("scope.webp", guided)
    chosen = next(label for label, value in scope.choices(job) if value == SCOPED)
    tables = {"sweep": sweep.as_markdown(strengths, of_sweep), "ablation": told_of(table_3(four.rows))}
    _write("tabs.json", {**tables, "scope": {"choice": chosen, "summary": summary}})
    manifest = {"clip": CLIP.name, "frames": FRAMES, "settings": asdict(Settings()), "model": describe_model("tiny")}
    _write("manifest.json", manifest)


def _run(machine: Machine, request: Request, runs: dict[str, Settings], store: Store) -> ComparisonJob:
    job = begin(request, runs)
    for _ in produce(machine, job, store, Watch(guidance=True)):
        pass
    return job


def _write(name: str, content: dict) -> None:
    (HERE / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _picture(name: str, rgb_u8: np.ndarray) -> None:
    cv2.imwrite(str(HERE / name), rgb_u8[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 88])


if __name__ == "__main__":
    main()
