"""The loop itself: what the log says, what a resumed run draws, what a broken step costs."""

from __future__ import annotations

import csv
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from mgld.errors import UserError
from mgld.training import run as run_module
from mgld.training import stages
from mgld.training.run import Plan, Run, first_step, stream_seed


def start(folder, steps: int = 4, **changes) -> Run:
    torch.manual_seed(0)
    net = torch.nn.Linear(3, 1)
    plan = Plan(folder, steps, batch=2, log_every=2, **changes)
    return Run(plan, {"net": net}, {"net": torch.optim.SGD(net.parameters(), 0.1, fused=True)}, {"net": net})


def rows(folder) -> list[dict[str, str]]:
    with (folder / "log.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_log_holds_means_however_often_a_step_takes_notes(tmp_path):
    run = start(tmp_path)
    for step in run.steps():
        run.note(first=float(step))
        run.note(second=10.0)
    assert [(float(r["first"]), float(r["second"])) for r in rows(tmp_path)] == [(0.5, 10), (2.5, 10)]


def test_every_figure_of_the_log_is_drawn_at_the_end(tmp_path):
    run = start(tmp_path)
    for step in run.steps():
        run.note(l1=float(step))
    assert Image.open(tmp_path / "curves.png").size == (2 * 400, 300)  # the figure, and the share of waiting


def test_the_last_line_of_the_log_may_be_of_fewer_steps(tmp_path, caplog):
    with caplog.at_level("INFO", "mgld"):
        for steps, resume in ((1, False), (4, True), (4, True)):
            run = start(tmp_path, steps, resume=resume)
            for step in run.steps():
                run.note(l1=float(step))
    assert [(row["step"], float(row["l1"])) for row in rows(tmp_path)] == [("1", 0), ("2", 1), ("4", 2.5)]
    assert Image.open(tmp_path / "curves.png").size == (2 * 400, 300)
    told = [record.getMessage() for record in caplog.records]
    assert "1 step in 0.0 min" in told and "3 steps in 0.0 min" in told and "no step was taken" in told[-1]


def test_a_short_last_line_is_none_of_those_after_which_a_run_is_given_up(tmp_path):
    run = start(tmp_path, steps=5)
    for _ in run.steps():
        run.note(skipped=1.0)
    assert [row["step"] for row in rows(tmp_path)] == ["2", "4", "5"]


def test_a_run_that_takes_no_step_any_more_stops_and_says_so(tmp_path):
    """An H200 once left out every step of seven minutes: a library's gradient was wrong there."""
    run = start(tmp_path, steps=100)
    with pytest.raises(UserError, match="gradients of 6 steps in a row were not finite"):
        for step in run.steps():
            run.note(skipped=float(step >= 4))  # of both steps of each line from the third on
    assert run.step == 10


def test_the_log_tells_the_share_of_time_that_went_by_waiting_for_the_loader(tmp_path, monkeypatch):
    now_s = [0.0]
    monkeypatch.setattr(run_module, "time", SimpleNamespace(monotonic=lambda: now_s[0]))

    def loader():
        while True:
            now_s[0] += 1
            yield torch.ones(1, 3)

    run, samples = start(tmp_path), loader()
    for _ in run.steps():
        run.take(samples)
        now_s[0] += 3
    assert [row["waiting"] for row in rows(tmp_path)] == ["0.250"] * 2


def test_figures_are_asked_of_the_device_only_when_a_line_is_written(tmp_path):
    """Each question makes the thread that launches work wait for the device."""
    asked = []

    class OnDevice(torch.Tensor):
        def __float__(self) -> float:
            asked.append(1)
            return super().__float__()

    run = start(tmp_path, steps=6)
    for step in run.steps():
        run.note(loss=torch.tensor(float(step)).as_subclass(OnDevice))
    assert [float(r["loss"]) for r in rows(tmp_path)] == [0.5, 2.5, 4.5] and len(asked) == 3


def test_a_fresh_run_begins_a_log_of_its_own(tmp_path):
    for _ in range(2):
        run = start(tmp_path)
        for _ in run.steps():
            run.note(loss=1.0)
    assert [row["step"] for row in rows(tmp_path)] == ["2", "4"]


def test_a_resumed_log_keeps_its_columns(tmp_path):
    for _ in start(tmp_path).steps():
        pass
    (tmp_path / "log.csv").write_text("step,seconds,old\n2,0.1,7\n4,0.2,8\n")
    run = start(tmp_path, steps=6, resume=True)
    for _ in run.steps():
        run.note(fresh=1.0)
    assert [(row["step"], row["old"]) for row in rows(tmp_path)] == [("2", "7"), ("4", "8"), ("6", "")]


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_step_that_is_not_finite_changes_nothing(tmp_path, broken):
    run = start(tmp_path, steps=2)
    before = {k: v.clone() for k, v in run.modules["net"].state_dict().items()}
    for _ in run.steps():
        run.note(skipped=run.update("net", run.modules["net"](torch.ones(1, 3)).sum() * broken))
    assert all(torch.equal(v, before[k]) for k, v in run.modules["net"].state_dict().items())
    assert float(rows(tmp_path)[0]["skipped"]) == 1


def test_every_resumption_goes_on_to_samples_of_its_own(tmp_path, monkeypatch):
    starts = []
    monkeypatch.setattr(stages.data, "byte_batches", lambda *a: starts.append(a[4]))
    for steps, resume in ((2, False), (4, True), (6, True)):
        run = start(tmp_path, steps, resume=resume)
        stages._samples(stages.Job(tmp_path, tmp_path, run.plan, 64, 0), None, 1)
        for _ in run.steps():
            pass
    assert starts == [step * stages.SAMPLES_PER_STEP for step in (0, 2, 4)]
    assert first_step(run.plan) == 6 and stream_seed(run.plan) == 6
    assert first_step(Plan(tmp_path, 2, 2)) == 0  # without --resume it begins again
