"""What guidance did, pair of frames by pair."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mgld import plots
from mgld.ui import running, scope
from tests import media
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


@pytest.mark.slow
@pytest.mark.usefixtures("no_files")
def test_drawings_on_twos_are_named_and_shown_where_they_stand_in_the_clip(machine, tmp_path, monkeypatch):
    frames = [frame for frame in media.coded_frames(4) for _ in range(2)]
    clip = media.make_video(tmp_path / "twos.mkv", frames, fps=10, codec="ffv1")
    list(running.compare(machine, asked(clip, frames=8), "me"))
    job = running.SESSIONS.get("me")
    found = scope.choices(job)
    assert [label for label, _ in found] == [
        "Segment 1: frames 1 → 3", "Segment 1: frames 3 → 5", "Segment 2: frames 5 → 7"
    ]  # fmt: skip
    drawn, draw = [], plots.guidance_scope
    monkeypatch.setattr(plots, "guidance_scope", lambda *given: drawn.append(given) or draw(*given))
    scope.figure(job, "1/0")
    assert drawn[0][2] == 4 and drawn[0][3] is job.material.clip[4].rgb_u8  # the fifth
