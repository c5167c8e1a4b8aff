"""The maths of the page's scripts, in its own language: `node --test tests/page`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def test_the_maths_of_the_scripts():
    node = shutil.which("node")
    if node is None:
        if os.environ.get("MGLD_REQUIRE_NODE"):
            pytest.fail("Node.js is required here and is not installed.")
        pytest.skip("Node.js is not installed.")
    run = subprocess.run([node, "--test", *map(str, sorted(HERE.glob("*.test.js")))], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
