"""Every sentence that a person can be shown when the page cannot be served, or a visitor's pictures cannot become a clip."""

from __future__ import annotations

from mgld.errors import UserError


def port_taken() -> UserError:
    return UserError("The page cannot be served: another program has its port. Name a free one with --port.")


def pictures_missing() -> UserError:
    return UserError("None of these files is a PNG, JPEG, WebP, BMP or TIFF picture.")


def pictures_too_large(most_bytes: int) -> UserError:
    return UserError(
        f"Together these pictures are larger than {most_bytes // 2**20} MB; choose fewer, or smaller ones."
    )
