"""What a command says while it works, on standard error: results alone go to standard output."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from mgld.events import Progress


def say(text: str, line: bool = False) -> None:
    """Tell the person on standard error; a line is drawn over itself on a terminal, and left out elsewhere."""
    if line and not sys.stderr.isatty():
        return
    sys.stderr.write(f"\r{text:<60}" if line else f"{text}\n")
    sys.stderr.flush()


def say_notes(notes: Sequence[str], hints: Mapping[str, str] | None = None, of: str = "") -> None:
    """Tell what a person should know of the clip or the result; hints say by note which option helps, `of` names the clip."""
    for note in notes:
        hint = (hints or {}).get(note)
        say(f"note: {of}{note} ({hint})" if hint else f"note: {of}{note}")


def say_progress(event: Progress, of: str = "") -> None:
    """Draw the line of how far the work is; `of` names what it is."""
    total = "?" if event.total is None else f"{event.total:g}"
    left = "" if event.seconds_left is None else f" · {event.seconds_left:.0f} s left"
    say(f"{of}frame {event.done:.1f} of {total}{left}", line=True)
