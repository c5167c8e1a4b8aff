"""What tests/conftest.py says of files by their names is said of files that are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import DECODED_APART, LONGEST, SLOW_PLACES


@pytest.mark.parametrize("place", sorted({*DECODED_APART, *LONGEST, *SLOW_PLACES}))
def test_every_place_that_is_named_exists(place):
    file, _, test = place.partition("::")
    source = Path(__file__).parent / file
    assert source.exists() and (not test or f"def {test}" in source.read_text(encoding="utf-8"))
