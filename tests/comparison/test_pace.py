"""The pace: what a piece of work takes now, measured no more often than needed, never on a GPU."""

from __future__ import annotations

from mgld.comparison import pace
from mgld.comparison.pace import Pace
from mgld.comparison.produce import Machine


def test_a_pace_is_seconds_of_real_work():
    assert 1e-6 < Pace("cpu").now_s() < 1.0


def test_it_is_measured_again_when_it_is_old_and_one_slow_moment_counts_for_little(monkeypatch):
    paces = iter([0.002, 0.004, 0.090, 0.004, 0.008])
    monkeypatch.setattr(pace, "_measured_s", lambda: next(paces))
    clock = [100.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: clock[0])
    known = Pace("cpu")
    assert known.last_s == known.now_s() == known.now_s() == 0.002  # before a job is predicted one may end
    for expected in (0.003, 0.004, 0.004):
        clock[0] += pace.FRESH_S
        assert known.now_s() == known.last_s == expected
    clock[0] += pace.STALE_S + 1
    assert known.now_s() == 0.008


def test_a_gpu_is_nobody_elses(monkeypatch):
    monkeypatch.setattr(pace, "_measured_s", lambda: 1 / 0)
    assert Pace("cuda:0").now_s() == 1.0 == Machine("auto", lambda job: iter(()), lent=True).pace_s()


def test_a_job_does_not_count_against_itself(monkeypatch):
    monkeypatch.setattr(pace, "_measured_s", lambda: 0.002)
    machine = Machine("cpu", lambda job: iter(()))
    machine.pace_s()
    machine.busy.set()
    monkeypatch.setattr(pace, "_measured_s", lambda: 1 / 0)
    monkeypatch.setattr(pace, "FRESH_S", 0)
    assert machine.pace_s() == 0.002
