"""The page served as strangers reach it, without the measuring of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from mgld.ui import page as studio
from tests import media
from tests.served import Served


@pytest.fixture(scope="module")
def served(free_port):
    patch = pytest.MonkeyPatch()
    patch.setattr(studio, "_prepare", lambda *_: None)
    machine = studio.this_machine("cpu")
    page = studio.build("tiny", machine)
    studio.launch(page, "tiny", machine, free_port, block=False)
    served = Served(f"http://127.0.0.1:{free_port}")
    served.page = page
    yield served
    page.close()
    patch.undo()


@pytest.fixture
def clip(tmp_path) -> Path:
    return media.make_video(tmp_path / "clip.mp4", media.coded_frames(3), fps=10)
