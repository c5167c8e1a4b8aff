"""Before a run: what it comes to, and what cannot be held."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mgld import memory
from mgld.comparison import estimate
from mgld.errors import UserError
from mgld.ui import planning, running
from tests.ui.jobs import asked


def test_what_memory_cannot_hold_is_refused_before_the_run_with_what_it_can(machine, moving_clip, monkeypatch):
    monkeypatch.setattr(memory, "room_bytes", lambda: 5 * 3 * 24 * 20 * 16 * 2)  # some three frames of three layers
    with pytest.raises(UserError, match=r"GB are free; \d frames? or a part of the frame of \d+% .* would do"):
        planning.plan_text(machine, asked(moving_clip))
    monkeypatch.setattr(running, "begin", lambda *_: pytest.fail("it was read all the same"))
    with pytest.raises(UserError, match="would do"):
        list(running.compare(machine, asked(moving_clip), "me"))


def test_what_the_disk_cannot_hold_is_refused_before_the_run(machine, moving_clip, monkeypatch):
    monkeypatch.setattr("mgld.video.writer.shutil.disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(UserError, match="GB are free"):
        planning.plan_text(machine, asked(moving_clip))
    with pytest.raises(UserError, match="GB are free"):
        list(running.compare(machine, asked(moving_clip), "me"))
    assert machine.calls == []


@pytest.mark.usefixtures("no_files")
def test_what_was_predicted_is_told_beside_what_it_took(machine, moving_clip):
    estimate.calibrate("tiny", machine)
    wanted = asked(moving_clip)
    told = planning.plan_text(machine, wanted)
    assert "5 frames (0.5 s), 24×20 → 96×80, 2 segments" in told and "About" in told and "GB" in told
    assert "Predicted: about" in list(running.compare(machine, wanted, "me"))[-1][0]
    assert running.SESSIONS.get("me").predicted_s > 0
