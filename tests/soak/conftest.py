"""One page for the tests of this folder: starting one takes seven seconds of a core."""

from __future__ import annotations

import pytest

from tests.soak.studio import Studio


@pytest.fixture(scope="package")
def studio(tmp_path_factory):
    studio = Studio(tmp_path_factory.mktemp("studio"))
    yield studio
    studio.close()
