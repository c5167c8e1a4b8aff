"""What guidance did, pair of frames by pair."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mgld.ui import running, scope
from tests.ui.jobs import KNOBS, asked


@pytest.mark.slow
@pytest.mark.usefixtures("no_files")
def test_the_scope_shows_every_guided_pair_of_the_last_run(machine, moving_clip):
    assert scope.choices(running.SESSIONS.get("me")) == []
    list(running.compare(machine, asked(moving_clip), "me"))
    job = running.SESSIONS.get("me")
    found = scope.choices(job)
    assert found[0] == ("Segment 1: frames 1 → 2", "0/0") and len(found) == 4
    picture, told = scope.figure(job, "1/1")
    assert picture.ndim == 3 and "latent pixels" in told
    again = asked(moving_clip, knobs=replace(KNOBS, decoder="frame"))
    list(running.compare(machine, again, "me"))  # latents are reused here
    assert scope.choices(running.SESSIONS.get("me")) == found
