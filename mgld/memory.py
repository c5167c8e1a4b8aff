"""How much memory this process has held at most, and how much it could hold, as each operating system tells it."""

from __future__ import annotations

import atexit
import ctypes
import gc
import re
import sys
from contextlib import suppress
from pathlib import Path

STATUS = Path("/proc/self/status")
REFERENCES = Path("/proc/self/clear_refs")
MACHINE = Path("/proc/meminfo")
SHORT = "out of memory|not enough memory|insufficient memory|can.t allocate memory|ALLOC_FAILED"


def peak_bytes() -> int:
    """Return the largest resident size of this process so far, in bytes."""
    if sys.platform == "win32":
        counters = _Counters(size=ctypes.sizeof(_Counters))
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.GetCurrentProcess.restype = ctypes.c_void_p
        kernel.K32GetProcessMemoryInfo.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Counters), ctypes.c_uint32]
        if not kernel.K32GetProcessMemoryInfo(kernel.GetCurrentProcess(), ctypes.byref(counters), counters.size):
            raise ctypes.WinError(ctypes.get_last_error())
        return counters.peak_working_set
    return _posix()


def forget_peak() -> None:
    """Let peak_bytes tell of what comes, where the system can forget (Linux); elsewhere it stays the process's so far."""
    if sys.platform == "linux":
        with suppress(OSError):  # a sandbox may forbid it
            REFERENCES.write_text("5", encoding="utf-8")


def room_bytes() -> int | None:
    """Return how large this process may become, in bytes: what it holds and what is free; None where nobody says (not Linux)."""
    if sys.platform != "linux" or not MACHINE.exists():
        return None
    held = re.search(r"VmRSS:\s*(\d+) kB", STATUS.read_text(encoding="utf-8"))
    free = re.search(r"MemAvailable:\s*(\d+) kB", MACHINE.read_text(encoding="utf-8"))
    return (int(held[1]) + int(free[1])) * 1024 if held and free else None


def is_short(error: BaseException) -> bool:
    """Say whether an error means that memory ran short, on a device or on the machine: every allocator says it differently."""
    return isinstance(error, MemoryError) or re.search(SHORT, str(error), re.IGNORECASE) is not None


def settle() -> None:
    """Let give_back look through what comes from now on only: what a server has once started stays anyway."""
    gc.freeze()
    atexit.register(gc.unfreeze)  # libraries complain at the end of what was never taken back


def give_back() -> None:
    """Return what nobody holds to the system.

    Figures and the like refer to themselves, and Python looks for such things the more seldom the more there is; the C library
    (glibc) keeps what is freed for each thread that ever worked.
    """
    gc.collect()
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)


def _posix() -> int:
    if sys.platform == "linux" and (told := re.search(r"VmHWM:\s*(\d+) kB", STATUS.read_text(encoding="utf-8"))):
        return int(told[1]) * 1024  # not getrusage, which begins with the peak of whoever started this process
    import resource  # Windows has none

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, the BSDs and sandboxes KiB


class _Counters(ctypes.Structure):
    """PROCESS_MEMORY_COUNTERS of the Windows API."""

    _fields_ = [
        ("size", ctypes.c_uint32),
        ("page_faults", ctypes.c_uint32),
        ("peak_working_set", ctypes.c_size_t),
        *((f"other_{i}", ctypes.c_size_t) for i in range(7)),
    ]
