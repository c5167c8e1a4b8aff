"""diffusers without what it loads for others, torch's compiler and transformers: half of the engine's start, 170 MB of its memory.

For programs of our own alone: whoever imports MGLDPipeline into another may want both of diffusers.
"""

from __future__ import annotations

import gc
import importlib.abc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from mgld.constants import OBJECTS_BETWEEN_SWEEPS

# What the engine uses of it and what that leads to; the rest is loaded when somebody asks for it.
PARTS = ("diffusers.pipelines.pipeline_utils", "diffusers.models.unets.unet_2d_condition", "diffusers.schedulers")


def start(whole: bool = False) -> None:
    """Let libraries load quickly in this program: diffusers, if it is not there yet, in this way unless it is needed whole."""
    gc.set_threshold(OBJECTS_BETWEEN_SWEEPS)
    looking = any(isinstance(finder, _Finder) for finder in sys.meta_path)
    if not (whole or looking or "diffusers" in sys.modules):
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    """Finds diffusers where it lies, once, and says how to load it."""

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "diffusers":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            whole = spec.loader.exec_module
            spec.loader.exec_module = lambda module: _load(module, whole)  # type: ignore[method-assign]
        return spec


def _load(module: ModuleType, whole: Any) -> None:
    try:
        with _without_compiler_and_transformers():
            whole(module)
            _ask_no_compiler()
            for part in PARTS:
                import_module(part)
    except Exception:  # another diffusers, another torch: then all of it
        for name in [name for name in sys.modules if name.startswith("diffusers.")]:
            del sys.modules[name]
        whole(module)


@contextmanager
def _without_compiler_and_transformers() -> Iterator[None]:
    """Let both seem to be missing, and what is marked for the compiler be marked when it is there."""
    import torch

    hidden = [name for name in ("torch._dynamo", "transformers") if name not in sys.modules]
    marked = torch.compiler.disable
    torch.compiler.disable = _marked_later
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: not to be found
    try:
        yield
    finally:
        torch.compiler.disable = marked
        for name in hidden:
            del sys.modules[name]


def _marked_later(function: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    from torch._compile import _disable_dynamo

    return _disable_dynamo(function, recursive)


def _ask_no_compiler() -> None:
    """Let diffusers know that what was never loaded has compiled nothing: it would load it to ask."""
    utils = import_module("diffusers.utils.torch_utils")
    asked = utils.is_compiled_module
    utils.is_compiled_module = lambda module: "torch._dynamo" in sys.modules and asked(module)
