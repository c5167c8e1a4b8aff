"""Every sentence that a person can be shown when other people's weights cannot be fetched or converted."""

from __future__ import annotations

from collections.abc import Iterable

from mgld.errors import UserError, output_failed

HOW_TO_GET_TEXT = (
    "give it as --text: Stable Diffusion 2.1's text_encoder folder, OpenCLIP's ViT-H-14 file, or a stored tensor"
)
HUB_LATER = "Its safetensors are fetched from the Hub when it is first used."


def checkpoints_refused(faults: list[str]) -> UserError:
    return UserError(
        "Nothing was converted, because the checkpoints are not what they should be:\n  " + "\n  ".join(faults)
    )


def folder_unwritable(folder: object) -> UserError:
    return output_failed(folder, "the disk is full or the folder cannot be written to")


def hash_differs(file: object, found: str, wanted: str) -> UserError:
    return UserError(f"{file} was thrown away: its sha256 is {found}, not {wanted}.")


def not_on_hub(name: str, known: Iterable[str]) -> UserError:
    return UserError(f"{name} is not on the Hub; what can be fetched is {', '.join(known)}.")
