"""Every sentence that a person can be shown when a comparison cannot be made as asked."""

from __future__ import annotations

from collections.abc import Iterable

from mgld.errors import UserError, bad_setting
from mgld.events import counted


def crop_unreadable(text: object) -> UserError:
    return bad_setting(
        "Part of the frame",
        text,
        "four numbers from 0 to 100, left before right and top before bottom, as in “10, 10, 60, 60”",
    )


def crop_small(width: int, height: int, smallest: int) -> UserError:
    return UserError(f"The chosen part is {width}×{height} pixels; both sides must be at least {smallest}.")


def clip_unchosen() -> UserError:
    return UserError("Choose a clip first.")


def clip_gone(path: object) -> UserError:
    return UserError(f"{path} is not here any more: uploads are removed after some time. Choose it again.")


def large_clip_differs(
    name: str, count: int, width: int, height: int, want_count: int, want_width: int, want_height: int
) -> UserError:
    return UserError(
        f"“{name}” has {count} frames of {width}×{height} here; it must have {want_count} of {want_width}×{want_height}."
    )


def method_unchosen() -> UserError:
    return UserError("Choose at least one method.")


def truth_twice() -> UserError:
    return UserError("A clip that is degraded here is its own ground truth; remove the other one.")


def layers_too_many(layers: int, most: int) -> UserError:
    return UserError(
        f"That makes {layers} layers, the bicubic input among them; the comparison holds {most}. Leave some out."
    )


def peer_uploaded() -> UserError:
    return UserError(
        "Weights cannot be uploaded: this page runs only what its host has. Upload the network's result as a clip instead, or run "
        "`python -m mgld compare` on a machine of your own."
    )


def model_not_offered(name: object, offered: Iterable[str]) -> UserError:
    return bad_setting("Model", name, "one of " + ", ".join(offered))


def memory_too_small(needed_bytes: float, room_bytes: float, share: float | None, frames: int | None) -> UserError:
    """share is the largest part of the frame's sides, and frames the longest clip, that would do; None where none would."""
    ways = [counted(frames, "frame")] if frames else []
    ways += [f"a part of the frame of {share:.0%} of its width and height"] if share else []
    way = f"; {' or '.join(ways)} would do." if ways else "; no part of it would do."
    return UserError(
        f"This needs about {needed_bytes / 1e9:.0f} GB of memory, and {room_bytes / 1e9:.0f} GB are free{way}"
    )
