"""Every sentence that a person can be shown when a model cannot be trained."""

from __future__ import annotations

from mgld.errors import UserError


def corpus_empty(sources: list) -> UserError:
    return UserError(f"There is no photograph or video of a useful size in {', '.join(map(str, sources))}.")


def split_empty(split: str) -> UserError:
    return UserError(f"The corpus has nothing in its {split!r} split; pack two files at least, better hundreds.")


def autoencoder_missing(model: object) -> UserError:
    return UserError(
        f"There is no autoencoder in {model} yet; run `python -m mgld train autoencoder` on that folder first."
    )


def shape_differs(model: object, part: str, name: str, has: object, wanted: object) -> UserError:
    return UserError(
        f"The {part} in {model} has {name} {has!r}, but --config says {wanted!r}; a trained network keeps its shape, so begin "
        "another folder."
    )


def models_differ(first: object, second: object, part: str) -> UserError:
    return UserError(
        f"The {part} in {first} has other tensors than that in {second}; only models of one shape have a mean."
    )


def bank_of_another(folder: object, differing: list[str]) -> UserError:
    return UserError(
        f"The latents in {folder} were sampled with other {' and '.join(differing)}; name another --run, or remove that folder."
    )


def nothing_learnt(steps: int) -> UserError:
    return UserError(
        f"The gradients of {steps} steps in a row were not finite, so none of them was taken. Try a lower --rate; if that does not "
        "help, --dtype float32 tells whether half precision is to blame."
    )
