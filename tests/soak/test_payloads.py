"""The attack on the page's endpoints works: a few of its cases, always the same ones, and faults would be found."""

from __future__ import annotations

from itertools import count, islice

import pytest

from mgld.ui import words
from tests.fuzz import api

# The shipped example's files, which whoever asks first lets the page write: ten seconds; tests/ui/test_first_sight.py does.
WRITING = ("example_files", "report_at_line")
CASES = 60


@pytest.fixture(scope="module")
def attacker(studio, tmp_path_factory):
    return api.Attacker(studio, tmp_path_factory.mktemp("clip"))


def test_payloads_that_no_browser_sends_give_results_or_refusals(attacker):
    writing = [event["id"] for event in attacker.served.events if event["api_name"] in WRITING]
    assert len(writing) == len(WRITING)
    quick = (n for n in count() if attacker.case(n)["fn_index"] not in writing)
    outcomes = {number: attacker.outcome(attacker.case(number)) for number in islice(quick, CASES)}
    assert {n: told for n, told in outcomes.items() if told["outcome"] not in ("result", "refused")} == {}
    assert {told["outcome"] for told in outcomes.values()} == {"result", "refused"}


def test_faults_and_leaks_would_be_found(attacker, monkeypatch):
    asked = attacker.case(0)
    for told, outcome in (
        ({"success": False, "output": {"error": words.FAILED.format(reference="00ff")}}, "broke"),
        ({"success": True, "output": {"data": [{"value": f"{api.ROOT}/mgld"}]}}, "leaked"),
        ({"success": True, "output": {"data": ["Traceback (most recent call last)"]}}, "leaked"),
        ({"success": True, "output": {"data": [{"path": f"{api.ROOT}/x"}]}}, "result"),  # an address of Gradio's
    ):
        monkeypatch.setattr(attacker, "_answer", lambda _, told=told: told)
        assert attacker.outcome(asked)["outcome"] == outcome, told
    monkeypatch.setattr(attacker, "_answer", lambda _: {})
    with attacker.studio.log.open("a") as log:
        log.write(f'Traceback\n  File "{api.ROOT}/mgld/ui/page.py", line 1, in build\nZeroDivisionError: x\n')
    assert attacker.outcome(asked)["outcome"] == "broke"


def test_a_number_names_the_same_case_again(attacker):
    assert repr(attacker.case(7)) == repr(attacker.case(7)) != repr(attacker.case(8))
