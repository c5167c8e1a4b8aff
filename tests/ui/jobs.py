"""Small jobs of the page, and what they cost."""

from __future__ import annotations

from mgld.comparison.asked import Asked
from mgld.comparison.request import Request, checked
from mgld.settings import Settings
from mgld.ui import running

KNOBS = Settings(steps=2, segment=3, overlap=1)


def asked(clip, **more) -> Request:
    """Return a checked request for two methods on five frames of a clip, or whatever else is said."""
    return checked(Asked(**{"clip": str(clip), "methods": ["per_frame", "mgld"], "frames": 5, "knobs": KNOBS, **more}))


def denoised(machine, request) -> int:
    """Run a comparison to its end; return how often it called the denoiser."""
    before = len(machine.calls)
    list(running.compare(machine, request, "me"))
    return len(machine.calls) - before
