"""The pace: what a piece of work takes now, measured no more often than needed, never on a GPU."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from mgld.comparison import pace
from mgld.comparison.pace import Pace
from mgld.comparison.produce import Machine


def test_a_pace_is_seconds_of_real_work():
    assert 1e-6 < Pace("cpu").now_s() < 1.0


def test_it_is_measured_again_when_it_is_old_and_the_fastest_of_the_last_looks_counts(monkeypatch):
    """A page that is being drawn slows one look; what else runs all the time slows them all."""
    paces = iter([0.008, 0.002, 0.004, 0.090, 0.006, 0.005, 0.007, 0.030])
    monkeypatch.setattr(pace, "_measured_s", lambda: next(paces))
    clock = [100.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: clock[0])
    known = Pace("cpu")
    assert known.last_s == known.now_s() == known.now_s() == 0.008  # before a job is predicted one may end
    for expected in (0.002, 0.002, 0.002, 0.002, 0.002, 0.004):  # the machine has become slower, and so it is said
        clock[0] += pace.FRESH_S
        assert known.now_s() == known.last_s == expected
    clock[0] += pace.STALE_S + 1
    assert (known.now_s(), known.best_s) == (0.030, 0.002)


def test_who_asks_at_the_same_time_shares_one_look(monkeypatch):
    looks, begun = [], threading.Barrier(2, timeout=10)

    def looked() -> float:
        looks.append(0.002 * len(looks) + 0.002)
        begun.wait()
        return looks[-1]

    monkeypatch.setattr(pace, "_measured_s", looked)
    known = Pace("cpu")
    with ThreadPoolExecutor(2) as events:
        answers = [events.submit(known.now_s) for _ in range(2)]
        begun.wait()
        assert [answer.result(10) for answer in answers] == [0.002, 0.002] and len(looks) == 1


def test_python_that_is_busy_elsewhere_is_not_taken_for_a_slow_machine():
    """As while a page is served: after each call the interpreter is waited for."""
    before, over = sys.getswitchinterval(), threading.Event()

    def be_busy() -> None:
        while not over.is_set():
            pass

    busy = threading.Thread(target=be_busy)
    sys.setswitchinterval(0.05)
    busy.start()
    try:
        looks = [(pace._measured_s(batch=1), pace._measured_s()) for _ in range(3)]
    finally:
        over.set()
        busy.join()
        sys.setswitchinterval(before)
    of_short_calls, of_long_calls = map(min, zip(*looks, strict=True))
    assert of_long_calls < of_short_calls / 1.5  # a half at most, and a fifteenth where each call waited


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
