"""The progress line: words and a bar, as static HTML."""

from __future__ import annotations

import html


def bar(text: str, share: float | None = None) -> str:
    """Return the line; share in 0…1 draws the bar, None leaves it out."""
    meter = "" if share is None else f'<progress max="1" value="{share:.3f}"></progress>'
    return f'<div class="mgld-bar" role="status" aria-live="polite">{html.escape(text)}{meter}</div>'


def refusal(text: str) -> str:
    """Return the line that says why something was not done."""
    return f'<div class="mgld-bar refusal" role="alert"><span aria-hidden="true">⚠</span> {html.escape(text)}</div>'
