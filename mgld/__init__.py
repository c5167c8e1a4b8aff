"""MGLD Studio: motion-guided latent diffusion for video super-resolution."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mgld.pipeline import MGLDPipeline
    from mgld.settings import Settings

__all__ = ["MGLDPipeline", "Settings"]
__version__ = "0.2.0"

_HOMES = {"MGLDPipeline": "mgld.pipeline", "Settings": "mgld.settings"}


def __getattr__(name: str) -> Any:
    """Import an exported class when it is first asked for: `import mgld` alone must not load torch, which takes seconds."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
