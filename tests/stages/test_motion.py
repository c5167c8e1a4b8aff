"""The motion stage."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.test_pipeline import QUICK


def test_guidance_of_strength_zero_measures_no_flow(pipeline, clip_u8, monkeypatch):
    monkeypatch.setattr("mgld.stages.motion.estimate_motion", lambda *_: pytest.fail("flow was measured"))
    pipeline(clip_u8, replace(QUICK, guidance=0.0))
