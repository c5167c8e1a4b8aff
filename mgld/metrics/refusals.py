"""Every sentence that a person can be shown when a folder of clips cannot be measured."""

from __future__ import annotations

from mgld.errors import UserError


def clips_missing(folder: object) -> UserError:
    return UserError(f"There is no clip in {folder}: neither a video nor a folder of frames.")


def clip_unmatched(name: str, folder: object) -> UserError:
    return UserError(
        f"There is no clip named {name!r} in {folder}; clips are matched by the name of their file or folder."
    )


def clip_counts_differ(name: str, of: str, count: int, wanted: int) -> UserError:
    return UserError(f"The {of} of {name!r} has {count} frames, but the low-quality clip has {wanted}.")


def clip_sizes_differ(name: str, of: str, size_hw: tuple[int, int], wanted_hw: tuple[int, int]) -> UserError:
    (height, width), (wanted_height, wanted_width) = size_hw, wanted_hw
    return UserError(
        f"The {of} of {name!r} is {width}×{height}, but four times the low-quality clip is {wanted_width}×{wanted_height}."
    )
