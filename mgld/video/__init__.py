"""Video in and out; the only place that knows a video library, which is loaded by who first reads or writes a clip."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mgld.video.clip import Frame, Probe

if TYPE_CHECKING:
    from mgld.video.reader import probe, read_frames
    from mgld.video.tools import encoders
    from mgld.video.writer import VideoWriter

__all__ = ["Frame", "Probe", "VideoWriter", "encoders", "probe", "read_frames"]

PLACES = {"VideoWriter": "writer", "encoders": "tools", "probe": "reader", "read_frames": "reader"}


def __getattr__(name: str) -> Any:
    """Return what needs a video library, from the module that defines it."""
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{PLACES[name]}"), name)
