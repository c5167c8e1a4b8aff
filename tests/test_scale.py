"""The tables of docs/scale.md are what docs/scale.py makes of the measured figures."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"


@pytest.fixture(scope="module")
def scale() -> dict:
    return runpy.run_path(str(DOCS / "scale.py"))


def test_the_tables_are_made_of_the_figures(scale):
    assert scale["tables"]() in (DOCS / "scale.md").read_text(encoding="utf-8")


def test_what_was_measured_comes_out_as_it_was_measured(scale):
    measured = scale["MEASURED"]
    assert scale["segment_s"]((736, 1280), 50) == pytest.approx(
        50 * measured["step"] + sum(measured.values()) - measured["step"]
    )
    assert (scale["unet_tiles"](736, 1280), scale["unet_tiles"](512, 512)) == (8, 1)
