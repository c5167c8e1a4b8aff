"""The page in a process of its own, and what it holds of the machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Held:
    """What a process and its children hold: MB of memory, and counts."""

    rss_mb: float
    threads: int
    open_files: int
    processes: int
    files_on_disk: int

    def __str__(self) -> str:
        return ", ".join(f"{value:g} {name.replace('_', ' ')}" for name, value in asdict(self).items())


def processes(pid: int) -> int:
    """Count a process, its children and theirs, whichever thread started them."""
    try:
        threads = list((Path("/proc") / str(pid) / "task").iterdir())
        children = [child for thread in threads for child in (thread / "children").read_text().split()]
    except OSError:  # it has ended meanwhile
        return 0
    return 1 + sum(processes(int(child)) for child in children)


class Studio:
    """app.py with the shipped model, as anybody starts it, but for a small memory of results and files that go after a minute."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address, self._temporary = f"http://127.0.0.1:{port}/", folder / "tmp"
        self._temporary.mkdir()
        limits = {"MGLD_KEPT_MB": "1", "MGLD_FILES_MINUTES": "1", "MGLD_CACHE": str(folder / "cache")}
        environment = os.environ | limits | {"TMPDIR": str(self._temporary), "GRADIO_ANALYTICS_ENABLED": "False"}
        command = [sys.executable, "app.py", "--device", "cpu", "--port", str(port)]
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        self._wait(600)

    def held(self) -> Held:
        """Count now (Linux), after a visit: a pool of threads lets go of those that rested when it is next asked for one."""
        urllib.request.urlopen(self.address, timeout=30).close()
        place = Path("/proc") / str(self._process.pid)
        status = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
        files = sum(len(names) for _, _, names in os.walk(self._temporary))  # which goes on where a folder vanishes
        rss_mb = round(int(status["VmRSS"].split()[0]) / 1024, 1)
        return Held(
            rss_mb, int(status["Threads"]), len(list((place / "fd").iterdir())), processes(self._process.pid), files
        )

    def close(self) -> None:
        """Stop the page as Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait(self, patience_s: float) -> None:
        end = time.monotonic() + patience_s
        while time.monotonic() < end and self._process.poll() is None:
            try:
                urllib.request.urlopen(self.address, timeout=30).close()
                return
            except OSError:
                time.sleep(0.2)
        self.close()
        raise RuntimeError(f"the page was not served:\n{self.log.read_text()}")
