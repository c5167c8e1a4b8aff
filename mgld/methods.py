"""The methods that can be compared, and what follows from a method: which parts of the paper work, and how a clip is cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mgld.settings import Settings


@dataclass(frozen=True)
class Method:
    """One way from low-quality frames to large ones; a peer is made without our engine and stands beside it.

    label names it in full, layer in the narrow places of the page. The two parts are those of the paper's Table 3.
    """

    label: str
    layer: str
    motion_guided: bool = False
    temporal_decoder: bool = False
    peer: bool = False


METHODS = {
    "bicubic": Method("Bicubic", "Input (bicubic)", peer=True),
    "per_frame": Method("Per-frame diffusion (StableSR)", "Per-frame (no guidance)"),
    "per_frame+mds": Method("Per-frame + motion-guided sampling", "+ guided sampling", motion_guided=True),
    "per_frame+tsd": Method("Per-frame + temporal decoder", "+ temporal decoder", temporal_decoder=True),
    "mgld": Method("Motion-guided diffusion (MGLD)", "MGLD", motion_guided=True, temporal_decoder=True),
}
PEERS = tuple(name for name, method in METHODS.items() if method.peer)
OURS = tuple(name for name in METHODS if name not in PEERS)  # also the rows of Table 3
COMPARED = ("per_frame", "mgld")  # what is run unless told otherwise; bicubic is always beside them


def is_filtered(settings: Settings) -> bool:
    """Say whether this run's frames are averaged along the motion before a network sees them."""
    return METHODS[settings.method].motion_guided and settings.temporal_filter == "motion"


def is_guided(settings: Settings) -> bool:
    """Say whether motion guidance moves the latents of this run: its method has it, and its strength is not 0."""
    return METHODS[settings.method].motion_guided and settings.guidance > 0


def follows_motion(settings: Settings) -> bool:
    """Say whether this run measures how its frames move."""
    return is_filtered(settings) or is_guided(settings)


def decodes_together(settings: Settings) -> bool:
    """Say whether this run decodes a segment's frames with the temporal decoder."""
    return METHODS[settings.method].temporal_decoder and settings.decoder == "temporal"


def is_temporal(settings: Settings) -> bool:
    """Say whether any network of this run sees neighbouring frames, so that the cut into segments changes the result."""
    return METHODS[settings.method].motion_guided or decodes_together(settings)


def finds_scenes(settings: Settings) -> bool:
    """Say whether this run looks for scene cuts, over which nothing that sees neighbouring frames may pass."""
    return is_temporal(settings) and settings.scenes == "found"


def holds_repeats(settings: Settings) -> bool:
    """Say whether frames that are equal to the one before are shown as it is, so that stills and drawings on twos stand still."""
    return is_temporal(settings) and settings.repeats == "held"


def overlap_of(settings: Settings) -> int:
    """Return how many frames neighbouring segments of this run share: none where frames are worked on one by one."""
    if not is_temporal(settings) or settings.segments == "disjoint":
        return 0
    return min(settings.overlap, settings.segment - 1)


def segment_count(settings: Settings, frames: int) -> int:
    """Count the segments that a clip of so many frames is cut into; scenes that are found in it may make more."""
    overlap = overlap_of(settings)
    return max(-(-(frames - overlap) // (settings.segment - overlap)), 1)


def worked_frames(settings: Settings, frames: int) -> int:
    """Count the frames that are sampled and decoded, those that neighbouring segments share twice."""
    return frames + (segment_count(settings, frames) - 1) * overlap_of(settings)
