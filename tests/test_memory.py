"""Peak memory: real here, and each system's own unit elsewhere."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import types

import numpy as np
import pytest

from mgld import memory

MIB = 2**20


MEASURES = """
import numpy, mgld.memory
before = mgld.memory.peak_bytes()
numpy.ones(100 * 2**20, numpy.uint8)
print(before, mgld.memory.peak_bytes())
"""


@pytest.mark.slow
def test_peak_is_of_this_process_alone_and_stays_when_memory_is_let_go():
    command = [sys.executable, "-c", MEASURES]
    held = np.ones(200 * MIB, np.uint8)
    before, after = (int(n) for n in subprocess.run(command, capture_output=True, check=True, text=True).stdout.split())
    assert before < held.nbytes < memory.peak_bytes()
    assert 99 * MIB < after - before < 130 * MIB


@pytest.mark.parametrize(("platform", "bytes_"), [("linux", 5 * 1024), ("freebsd14", 5 * 1024), ("darwin", 5)])
def test_each_system_counts_in_its_own_unit(monkeypatch, tmp_path, platform, bytes_):
    usage = types.SimpleNamespace(RUSAGE_SELF=0, getrusage=lambda who: types.SimpleNamespace(ru_maxrss=5))
    (tmp_path / "status").write_text("Name: a sandbox that does not count peaks\n")
    monkeypatch.setattr(memory, "STATUS", tmp_path / "status")
    monkeypatch.setitem(sys.modules, "resource", usage)
    monkeypatch.setattr(sys, "platform", platform)
    assert memory.peak_bytes() == bytes_


def test_linux_counts_peaks_in_its_status_file(monkeypatch, tmp_path):
    (tmp_path / "status").write_text("VmPeak:\t  900 kB\nVmHWM:\t   11200 kB\nVmRSS:\t   10 kB\n")
    monkeypatch.setattr(memory, "STATUS", tmp_path / "status")
    monkeypatch.setattr(sys, "platform", "linux")
    assert memory.peak_bytes() == 11200 * 1024


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


FREED = """
import re, threading
from pathlib import Path
from mgld import memory

def held_mb():
    return int(re.search(r"VmRSS:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

def work():  # small pieces, freed but for the last one, which holds the others' place
    pieces = [bytes(4000) for _ in range(10_000)]
    kept.append(pieces[-1])

kept = []
thread = threading.Thread(target=work)
thread.start()
thread.join()
before = held_mb()
memory.give_back()
print(before - held_mb())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc keeps what was freed for each thread")
def test_what_threads_freed_goes_back_to_the_system():
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 20


SETTLED = """
import gc, weakref
from mgld import memory
class Ring:
    def __init__(self):
        self.self = self
gc.collect(), gc.disable()  # as good as: the full look comes after a quarter more objects than there are
old = weakref.ref(Ring())
memory.settle()
new = weakref.ref(Ring())
memory.give_back()
print(old() is not None, new() is None)
"""


def test_what_only_refers_to_itself_is_freed_but_for_what_was_there_before_serving():
    done = subprocess.run([sys.executable, "-c", SETTLED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


FORGETS = """
import numpy
from mgld import memory
numpy.ones(100 * 2**20, numpy.uint8)
before = memory.peak_bytes()
memory.forget_peak()
print(before - memory.peak_bytes())
"""


@pytest.mark.skipif(not memory.REFERENCES.exists(), reason="this system cannot forget a peak")
def test_a_peak_that_is_forgotten_is_that_of_what_comes():
    done = subprocess.run([sys.executable, "-c", FORGETS], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 90 * MIB


def test_where_a_peak_cannot_be_forgotten_it_stays(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "REFERENCES", tmp_path / "absent" / "clear_refs")
    before = memory.peak_bytes()
    memory.forget_peak()
    assert memory.peak_bytes() >= before
