"""What tests/conftest.py says of files by their names is said of files that are there; what belongs together stays so."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import DECODED_APART, LONGEST, SLOW_PLACES, group_of, pytest_xdist_make_scheduler


@pytest.mark.parametrize("place", sorted({*DECODED_APART, *LONGEST, *SLOW_PLACES}))
def test_every_place_that_is_named_exists(place):
    file, _, test = place.partition("::")
    source = Path(__file__).parent / file
    assert source.exists() and (not test or f"def {test}" in source.read_text(encoding="utf-8"))


class Process:
    """One that tests are handed to, as their places in the list of all."""

    shutting_down, gateway = False, SimpleNamespace(id="of a test")

    def __init__(self) -> None:
        self.handed: list[int] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        self.handed += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def test_what_belongs_together_runs_in_one_process():
    """A whole file, and all of the browser's files: what they start, they start once."""
    places = ["browser/test_api.py", "browser/test_page.py", *(f"test_{name}.py" for name in "abcde")]
    tests = [f"tests/{place}::test_{i}" for place in places for i in range(4)]
    asked = {"tx": ["popen"] * 2}
    config = SimpleNamespace(getvalue=asked.__getitem__, option=SimpleNamespace(loadscopereorder=False))
    scheduler, processes = pytest_xdist_make_scheduler(config, None), (Process(), Process())
    for process in processes:
        scheduler.add_node(process)
        scheduler.add_node_collection(process, tests)
    scheduler.schedule()
    for turn in range(len(tests)):  # each is done with a test in turn, and asks for more when few are left
        for process in processes:
            if turn < len(process.handed):
                scheduler.mark_test_complete(process, process.handed[turn])
    ran = [{group_of(tests[i]) for i in process.handed} for process in processes]
    assert sorted(i for process in processes for i in process.handed) == list(range(len(tests)))
    assert all(ran) and not ran[0] & ran[1]
