"""Make this process harmless before it touches a file from outside: bounds on memory, time, files, and no network."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress

from mgld.constants import LIMITS

NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000  # Linux: <linux/sched.h>


def confine(may_write: bool) -> list[str]:
    """Take away what decoding does not need; return, in words, what this system could not take away."""
    lacking = []
    for name, bound in _bounds(may_write).items():
        if not _bounded(name, bound):
            lacking.append(name)
    if not _without_network():
        lacking.append("network")
    return lacking


def renew_cpu_time() -> None:
    """Allow LIMITS.decoder_stall_s more seconds of computing: the bound is on one frame, not on the clip."""
    if sys.platform == "win32":
        return  # it knows no such bounds
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime + LIMITS.decoder_stall_s) + 1
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _bounds(may_write: bool) -> dict[str, int]:
    bounds = {"memory": LIMITS.decoder_bytes, "core file": 0, "open files": 64}
    return bounds if may_write else bounds | {"written bytes": 0}


def _bounded(name: str, bound: int) -> bool:
    if sys.platform == "win32":
        return False
    import resource

    kinds = {"memory": "RLIMIT_AS", "core file": "RLIMIT_CORE", "open files": "RLIMIT_NOFILE"}
    kind = getattr(resource, kinds.get(name, "RLIMIT_FSIZE"))
    try:
        hard = resource.getrlimit(kind)[1]
        bound = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(kind, (bound, bound))
    except (OSError, ValueError):  # macOS knows no bound on memory
        return False
    return True


def _without_network() -> bool:
    """Move into an empty network of this process's own, where Linux lets an ordinary user do so."""
    is_root = getattr(os, "geteuid", lambda: None)() == 0  # who keeps the right to read others' files only as itself
    flags = NEW_NETWORK if is_root else NEW_USER | NEW_NETWORK
    try:
        return ctypes.CDLL(None).unshare(flags) == 0
    except (AttributeError, OSError, TypeError):  # no such call here
        return False
