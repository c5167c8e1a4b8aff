"""Every sentence that a person can be shown when a command cannot do what its line says."""

from __future__ import annotations

from collections.abc import Mapping

from mgld.errors import UserError


def option_twice(option: str, first: object, second: object) -> UserError:
    return UserError(f"{option} is given as both {first} and {second}; give it once")


def output_unnamed() -> UserError:
    return UserError("Name one clip and its output, or any number of clips and --out FOLDER.")


def outputs_clash(output: object, first: object, second: object) -> UserError:
    return UserError(f"{first} and {second} would both become {output}; rename one of them.")


def output_is_input(path: object) -> UserError:
    return UserError(f"{path} is the input itself; name another output.")


def too_small_to_degrade(path: object, width: int, height: int, smallest: int) -> UserError:
    return UserError(
        f"The picture of {path} is {width}×{height}; it must be at least {smallest}×{smallest} for a quarter of it to be of use."
    )


def start_beyond(start_s: float, duration_s: float) -> UserError:
    return UserError(f"The clip is {duration_s:.2f} s long; it cannot begin at {start_s:g} s.")


def config_broken(path: object, reason: str) -> UserError:
    return UserError(f"{path} cannot be used as --config: {reason}.")


def nothing_to_measure() -> UserError:
    return UserError("There is nothing to measure: name a method (--methods) or a folder of results (--results).")


def results_unnamed(text: str) -> UserError:
    return UserError(f"--results wants NAME=FOLDER with a name of its own, not {text!r}.")


def flow_judges_itself(name: str) -> UserError:
    return UserError(
        f"The results follow the flow network {name!r}, so it must not judge them; choose another --metric-flow."
    )


def engine_missing(name: str) -> UserError:
    return UserError(
        f"--engine {name} needs the optional package {name}, which is not installed: pip install -r requirements-{name}.txt"
    )


def clips_failed(reasons: Mapping[str, str], of: int) -> UserError:
    listed = "".join(f"\n  {clip}: {reason}" for clip, reason in reasons.items())
    return UserError(f"{len(reasons)} of {of} clips failed:{listed}")


def loss_missing(reason: object) -> UserError:
    return UserError(f"{reason} Or train with --no-perceptual.")


def sections_failed(names: list[str]) -> UserError:
    return UserError(
        f"Not everything could be measured; failed: {', '.join(names)}. The rest is above and in the report."
    )


def not_ready(lacking: list[str]) -> UserError:
    return UserError(f"The program cannot run yet; missing: {', '.join(lacking)}.")
