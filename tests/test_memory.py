"""Peak memory: real here, and each system's own unit elsewhere."""

from __future__ import annotations

import ctypes
import sys
import types

import numpy as np
import pytest

from mgld import memory

MIB = 2**20


def test_peak_grows_with_what_is_held_and_stays_when_it_is_let_go():
    before = memory.peak_bytes()
    held = np.ones(before + 64 * MIB, np.uint8)
    peak = memory.peak_bytes()
    assert peak > held.nbytes
    del held
    assert memory.peak_bytes() >= peak


@pytest.mark.parametrize(("platform", "bytes_"), [("linux", 5 * 1024), ("freebsd14", 5 * 1024), ("darwin", 5)])
def test_each_system_counts_in_its_own_unit(monkeypatch, platform, bytes_):
    usage = types.SimpleNamespace(RUSAGE_SELF=0, getrusage=lambda who: types.SimpleNamespace(ru_maxrss=5))
    monkeypatch.setitem(sys.modules, "resource", usage)
    monkeypatch.setattr(sys, "platform", platform)
    assert memory.peak_bytes() == bytes_


class Kernel:
    """What the Windows API does with the structure that it is handed."""

    def __init__(self, name, use_last_error):
        assert name == "kernel32" and use_last_error
        self.GetCurrentProcess = Function(lambda: -1)
        self.K32GetProcessMemoryInfo = Function(self.fill)

    def fill(self, process, counters, size):
        assert process == -1
        if size != 8 + 8 * ctypes.sizeof(ctypes.c_size_t):
            return 0
        counters._obj.peak_working_set = 7 * MIB
        return 1


class Function:
    """A foreign function: callable, with types that may be set."""

    def __init__(self, call):
        self.call = call

    def __call__(self, *arguments):
        return self.call(*arguments)


def test_windows_is_asked_without_the_module_that_it_lacks(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.setattr(ctypes, "WinDLL", Kernel, raising=False)
    assert memory.peak_bytes() == 7 * MIB
