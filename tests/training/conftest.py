"""What every test of a training run would otherwise pay for anew."""

from __future__ import annotations

import pytest

from mgld.training import run


@pytest.fixture(autouse=True)
def no_curves(request, monkeypatch) -> None:
    """Draw no log: a panel takes 50 ms, and runs have ten. test_run.py draws one; test_sitting.py's whole command does too."""
    if request.node.path.name not in ("test_run.py", "test_sitting.py"):
        monkeypatch.setattr(run, "training_curves", lambda log, picture: None)
