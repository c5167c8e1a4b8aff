"""Visitors at once, as `python -m tests.soak` lets them come; .ci/run lets twenty come."""

from __future__ import annotations

import sys

import pytest

from tests.soak.__main__ import WARM_UP, load, wrong
from tests.soak.visitor import visit

VISITORS = 8  # what twenty leave is more than an allocator's mood: .ci/run judges memory more sharply


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts what a process holds as Linux shows it")
def test_visitors_at_once_wait_in_line_get_their_own_and_leave_nothing(studio, tmp_path):
    assert wrong([visit(studio.address, number, tmp_path) for number in range(WARM_UP)]) == []
    assert load(studio, VISITORS, tmp_path) == []
    assert "Traceback" not in studio.log.read_text()
