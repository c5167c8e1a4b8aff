"""Twenty visitors at once, as `python -m tests.soak` lets them come."""

from __future__ import annotations

import sys

import pytest

from tests.soak.__main__ import load, wrong
from tests.soak.studio import Studio
from tests.soak.visitor import visit

VISITORS, WARM_UP = 20, 4


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts what a process holds as Linux shows it")
def test_twenty_visitors_at_once_wait_in_line_get_their_own_and_leave_nothing(tmp_path):
    studio = Studio(tmp_path)
    try:
        assert wrong([visit(studio.address, number, tmp_path) for number in range(WARM_UP)]) == []
        assert load(studio, VISITORS, tmp_path) == []
        assert "Traceback" not in studio.log.read_text()
    finally:
        studio.close()
