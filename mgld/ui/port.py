"""Whether the page's port can be had: asked before seconds go into loading what is served there."""

from __future__ import annotations

import socket

from mgld import errors, host
from mgld.ui import refusals


def check(port: int | None) -> None:
    """Raise UserError for a number that no port has, or where another program has it; Gradio looks the same way, but late.

    None leaves it to Gradio to find a free one.
    """
    if port is None:
        return
    if not 1 <= port <= 65535:
        raise errors.bad_setting("--port", port, "from 1 to 65535")
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host.SERVED_AT, port))
        except OSError as error:
            raise refusals.port_taken() from error
