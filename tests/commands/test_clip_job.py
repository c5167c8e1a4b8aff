"""A clip of the command line: what it is named by while its finished segments are kept."""

from __future__ import annotations

import imageio.v3 as iio
import pytest

from mgld import kept
from mgld.__main__ import main
from tests import media


@pytest.fixture
def sources(monkeypatch) -> list[dict]:
    """Collect what each run says of its source when it is named."""
    told, named = [], kept.run_key
    monkeypatch.setattr(kept, "run_key", lambda *said: told.append(said[-1]) or named(*said))
    return told


@pytest.mark.slow
def test_a_run_is_named_by_the_rate_which_says_where_in_a_folder_it_starts(tmp_path, sources):
    (tmp_path / "clip" / "thumbnails").mkdir(parents=True)
    for number, frame in enumerate(media.coded_frames(6, 16, 16)):
        iio.imwrite(tmp_path / "clip" / f"{number}.png", frame)
    for fps in ("2", "4"):
        words = ["upscale", str(tmp_path / "clip"), str(tmp_path / f"{fps}.mkv"), "--method", "bicubic"]
        assert main([*words, "--start", "1", "--frames", "1", "--fps", fps]) == 0
    at_two, at_four = sources
    assert at_two != at_four and at_two["sha256"] == at_four["sha256"]
