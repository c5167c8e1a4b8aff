"""Video in and out; the only place that knows a video library, which is loaded by who first reads or writes a clip."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mgld.video.clip import Frame, Probe

if TYPE_CHECKING:
    from mgld.video.reader import probe, read_frames
    from mgld.video.tools import encoders
    from mgld.video.writer import Planned, VideoWriter, planned

__all__ = ["Frame", "Planned", "Probe", "VideoWriter", "encoders", "planned", "probe", "read_frames"]

PLACES = {
    "Planned": "writer", "VideoWriter": "writer", "planned": "writer",
    "encoders": "tools", "probe": "reader", "read_frames": "reader",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Return what needs a video library, from the module that defines it."""
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{PLACES[name]}"), name)
