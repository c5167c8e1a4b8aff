"""The maths of the page's scripts, in its own language, run by the Node.js that comes with Playwright."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import playwright

HERE = Path(__file__).parent
NODE = Path(playwright.__file__).parent / "driver" / ("node.exe" if sys.platform == "win32" else "node")


def test_the_maths_of_the_scripts():
    files = sorted(HERE.glob("*.test.js"))
    run = subprocess.run([NODE, "--test", *files], capture_output=True, text=True, encoding="utf-8")
    assert files and run.returncode == 0, run.stdout + run.stderr
