"""How the stages call the networks."""

from __future__ import annotations

import pytest
import torch


def test_work_that_lacks_memory_is_done_again_without_the_recorded_steps(pipeline, monkeypatch):
    forgotten, tried = [True, False], []

    def work() -> str:
        tried.append(len(tried))
        if len(tried) != 2:
            raise torch.OutOfMemoryError("no room")
        return "done"

    monkeypatch.setattr(pipeline.networks.predicted, "forget", lambda: forgotten.pop(0))
    assert pipeline.networks.with_room(work) == "done" and len(tried) == 2
    with pytest.raises(torch.OutOfMemoryError):  # nothing was left to forget
        pipeline.networks.with_room(work)
