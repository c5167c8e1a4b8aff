"""`python -m mgld COMMAND`: every command ends with 0, or non-zero with one plain sentence."""

from __future__ import annotations

import argparse
import io
import logging
import signal
import sys
import threading
from typing import NoReturn

from mgld import light
from mgld.errors import UserError

try:
    from mgld.commands import (
        ablate,
        benchmark,
        compare,
        convert,
        degrade,
        dial,
        doctor,
        evaluate,
        flow,
        sweep,
        train,
        upscale,
    )
except UserError as error:  # the environment sets a limit that is no number, or the assets are missing
    sys.exit(f"mgld: {error}")

LOAD_ALL = ("train", "convert")  # may compile; read a text tower of transformers


class Parser(argparse.ArgumentParser):
    """Say what is wrong in one sentence, without the page of options in front of it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"mgld: {message}; `{self.prog} --help` lists the options.\n")


def parser() -> argparse.ArgumentParser:
    """Build the whole command line."""
    root = Parser(prog="mgld", description="Motion-guided latent diffusion for video super-resolution.")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (upscale, compare, evaluate, ablate, sweep, dial, benchmark, flow, degrade, train, convert, doctor):
        module.add_to(commands)
    return root


def _stop_as_by_ctrl_c() -> None:
    """Let SIGTERM end a command as Ctrl-C does, so that nothing half-written stays; only a main thread may ask for that."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an arrow that a Windows code page lacks must not end an evaluation
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("mgld").setLevel(logging.INFO)
    chosen = parser().parse_args(arguments)
    _stop_as_by_ctrl_c()
    light.start(whole=chosen.command in LOAD_ALL)
    try:
        chosen.run(chosen)
    except UserError as error:
        print(f"mgld: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mgld: stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
