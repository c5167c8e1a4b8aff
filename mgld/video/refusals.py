"""Every sentence that a person can be shown when a file cannot be read or written."""

from __future__ import annotations

from mgld.constants import LIMITS, VIDEO_KINDS
from mgld.errors import UserError

CLIPS = f"this program reads {', '.join(VIDEO_KINDS)}, GIF, animated WebP and PNG, and folders or zips of frames"


def plain(name: str) -> str:
    """Return a name without what nobody sees: a terminal obeys it, and text behind it may run the other way."""
    return "".join(character for character in name if character.isprintable())


def clip_empty(path: object) -> UserError:
    return UserError(f"The file {path} is empty.")


def clip_unreadable(path: object) -> UserError:
    return UserError(f"{path} is not a video that can be read here, or it is damaged beyond use; {CLIPS}.")


def clip_incomplete(path: object) -> UserError:
    return UserError(f"{path} is incomplete: its index is missing or damaged; copy or record it again.")


def clip_without_video(path: object) -> UserError:
    return UserError(f"{path} holds no video, only sound or a cover picture.")


def clip_encrypted(path: object) -> UserError:
    return UserError(f"{path} is encrypted (copy protection); only a player that has its key can show it.")


def clip_changes_size(path: object) -> UserError:
    return UserError(f"The picture size changes inside {path}; cut it into parts of one size first.")


def clip_hdr(path: object, transfer: str) -> UserError:
    return UserError(
        f"{path} is an HDR video ({transfer}); convert it to SDR first, else its colours would come out wrong."
    )


def clip_too_small(path: object, width: int, height: int) -> UserError:
    return UserError(
        f"The picture of {path} is {width}×{height}; it must be at least {LIMITS.smallest_side_px}×{LIMITS.smallest_side_px}."
    )


def clip_too_large(path: object, width: int, height: int) -> UserError:
    return UserError(f"The picture of {path} is {width}×{height}, which is more than can be enlarged four times.")


def clip_too_narrow(path: object, width: int, height: int) -> UserError:
    return UserError(
        f"The picture of {path} is {width}×{height}; one side may be at most {LIMITS.widest_aspect:g} times the other."
    )


def folder_without_pictures(path: object) -> UserError:
    return UserError(f"The folder {path} holds no PNG, JPEG, WebP, BMP or TIFF frames.")


def picture_unreadable(path: object) -> UserError:
    return UserError(
        f"The picture {path} is damaged or too large, or is not what its name says; take it out or save it again."
    )


def archive_without_pictures(path: object) -> UserError:
    return UserError(
        f"The archive {path} holds no PNG, JPEG, WebP, BMP or TIFF frames; archives inside it are not opened."
    )


def archive_unreadable(path: object) -> UserError:
    return UserError(f"The archive {path} is damaged or incomplete; make it again.")


def archive_encrypted(path: object) -> UserError:
    return UserError(f"The archive {path} asks for a password; make it again without one.")


def archive_too_large(path: object, most: str) -> UserError:
    return UserError(f"The archive {path} holds more than is read of one; at most {most}.")


def archive_of_several(path: object) -> UserError:
    return UserError(f"The archive {path} holds pictures in several folders; put the frames of one clip alone into it.")


def clip_of_other_kind(path: object, kind: str) -> UserError:
    return UserError(f"{path} is {kind}, not a clip; {CLIPS}.")


def clip_is_still(path: object, kind: str) -> UserError:
    return UserError(
        f"{path} is a still {kind} picture; put it into a folder of frames, or save the clip as MP4 or GIF."
    )


def clip_too_many_streams(path: object, count: int, most: int) -> UserError:
    return UserError(f"{path} holds {count} streams, but at most {most} are looked at; keep only those you need.")


def picture_colours(path: object, mode: str) -> UserError:
    return UserError(f"The colours of {path} ({mode}) cannot be converted; save it as an RGB picture.")


def decoder_died(path: object) -> UserError:
    return UserError(f"{path} is damaged beyond use: it made the decoder stop.")


def decoder_stalled(path: object) -> UserError:
    return UserError(f"{path} is damaged beyond use: it kept the decoder busy without giving a picture.")


def decoder_memory(path: object) -> UserError:
    return UserError(f"{path} needs more memory than a clip may; it is damaged, or its pictures are too large.")


def disk_short(needed_bytes: float, free_bytes: float) -> UserError:
    return UserError(
        f"The result may need {needed_bytes / 1e9:.2g} GB of disk, and {free_bytes / 1e9:.2g} GB are free; make room, or ask for "
        "fewer frames."
    )


def output_unknown(path: object) -> UserError:
    return UserError(f"Cannot tell what to write from {path}; end it in .mp4, .mov, .mkv, .gif, or give a folder.")
