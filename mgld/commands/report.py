"""The JSON file beside a result: whole, or not there."""

from __future__ import annotations

import json
from pathlib import Path

from mgld import errors


def check_place(path: Path | None) -> None:
    """Refuse a report that could not be written after the work."""
    if path is not None and path.name == "-":
        raise errors.output_failed(path, "a report is a file and needs a name")
    if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
        raise errors.output_failed(path, "the folder is absent, or a folder has that name")


def write_json(path: Path, report: dict) -> None:
    """Write the report whole or not at all."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(json.dumps(report, indent=2, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise errors.output_failed(path, "the folder is absent or cannot be written to") from error
