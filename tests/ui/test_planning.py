"""Before a run: what it comes to, and what cannot be held."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from mgld import memory
from mgld.comparison import cost, estimate, pace
from mgld.comparison.request import extent_of
from mgld.comparison.store import Store
from mgld.errors import UserError
from mgld.ui import planning, running
from tests.comparison.test_cost import SMALL
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


def test_what_watching_will_add_is_counted_unless_the_present_pace_tells_it_already(machine, moving_clip, monkeypatch):
    """A page that plays its example before the run takes of the processor what a watched run does: that was said twice over."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(pace, "STALE_S", -1.0)  # each look is the only one
    estimate.cost_of("tiny").learn_stage("mgld", "sample", 0.1, 1000.0)
    wanted = asked(moving_clip)

    def needed_at(pace_s: float) -> float:
        monkeypatch.setattr(pace, "_measured_s", lambda: pace_s)
        return estimate.needed(machine, wanted, extent_of(wanted), Store()).seconds

    alone, playing, crowded = map(needed_at, (0.002, 0.0027, 0.008))
    assert playing == alone and crowded == pytest.approx(alone * 0.008 / (1.4 * 0.002))


@pytest.mark.usefixtures("no_files")
def test_what_was_predicted_is_told_beside_what_it_took(machine, moving_clip, monkeypatch):
    monkeypatch.setattr(cost, "MEASURED", SMALL)
    monkeypatch.setattr(estimate, "SHOWN_SIDES", (32, 48))
    estimate.calibrate("tiny", machine)
    wanted = asked(moving_clip)
    told = planning.plan_text(machine, wanted)
    assert "5 frames (0.5 s), 24×20 → 96×80, 2 segments" in told and "About" in told and "GB" in told
    assert "Predicted: about" in list(running.compare(machine, wanted, "me"))[-1][0]
    assert running.SESSIONS.get("me").predicted_s > 0
