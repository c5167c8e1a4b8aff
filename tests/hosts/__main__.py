"""A Ray cluster of two machines that share nothing but a wire and these files, made on this one: `python -m tests.hosts`.

A developer's command, no test: it needs root on Linux, and takes minutes. Each machine has an address, a name, a home, a /tmp and a
shared memory of its own. A clip is upscaled in one process, over both machines, and with one of them cut off on the way: each time
the frames must be the same.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mgld.comparison.asked import EXAMPLES
from mgld.host import RAY_TOKEN

ADDRESSES, WIRES, PORT = ("10.77.0.1", "10.77.0.2"), ("wire1", "wire2"), 6379
ISOLATED = ("--net", "--mount", "--uts", "--ipc", "--pid")
OWN = ("/dev/shm", "/tmp")
HOME = "/tmp/home"
FRAMES, LIMIT_S = 24, 600
ENVIRONMENT = os.environ | {"HOME": HOME, "OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0"}
RAY = [str(Path(sys.executable).with_name("ray")), "start", "--num-cpus=1"]


class Machine:
    """A machine of its own, as far as programs can tell."""

    def __init__(self, address: str, wire: str) -> None:
        self.wire = wire
        self._init = subprocess.Popen(
            ["unshare", *ISOLATED, "--fork", "--mount-proc", "--kill-child", "sleep", "infinity"]
        )
        children = Path(f"/proc/{self._init.pid}/task/{self._init.pid}/children")
        until(children.read_text)
        self._pid = children.read_text().strip()
        subprocess.run(["ip", "link", "set", wire, "netns", self._pid], check=True)
        for place in OWN:
            self.do("mount", "-t", "tmpfs", "none", place)
        self.do("hostname", f"machine-{wire}")
        for words in ("link set lo up", f"addr add {address}/24 dev {wire}", f"link set {wire} up"):
            self.do("ip", *words.split())

    def start(self, *command: str) -> subprocess.Popen:
        """Start a program there; only its errors and notes are heard."""
        enter = ["nsenter", "--target", self._pid, *ISOLATED, f"--wd={Path.cwd()}", *command]
        return subprocess.Popen(enter, env=ENVIRONMENT, stdout=subprocess.DEVNULL)

    def do(self, *command: str) -> None:
        """Run a program there to its end; SystemExit if it fails."""
        if self.start(*command).wait(LIMIT_S):
            raise SystemExit(f"{' '.join(command)}: failed")

    def leave_the_wire(self) -> None:
        self.do("ip", "link", "set", self.wire, "down")

    def close(self) -> None:
        """End it and all that runs there, and wait until its end of the wire is gone too."""
        self._init.kill()
        self._init.wait()
        until(lambda: not Path(f"/proc/{self._pid}").exists())


def until(found: Callable[[], object]) -> None:
    """Wait for something to be so; TimeoutError if it never is."""
    end = time.monotonic() + LIMIT_S
    while not found():
        if time.monotonic() > end:
            raise TimeoutError("waited in vain")
        time.sleep(0.1)


@contextmanager
def cluster() -> Iterator[list[Machine]]:
    """Start two machines with a processor each, joined by a wire and, as docs/scale.md says, by Ray with a token."""
    head = f"{ADDRESSES[0]}:{PORT}"
    with ExitStack() as stack:
        subprocess.run(["ip", "link", "add", WIRES[0], "type", "veth", "peer", "name", WIRES[1]], check=True)
        machines = []
        for address, wire in zip(ADDRESSES, WIRES, strict=True):
            machines.append(Machine(address, wire))
            stack.callback(machines[-1].close)
            machines[-1].do(
                "sh", "-ec", f"mkdir -p {Path(HOME, RAY_TOKEN).parent}; printf {'0' * 64} > {HOME}/{RAY_TOKEN}"
            )
        machines[0].do(
            *RAY, "--head", f"--node-ip-address={ADDRESSES[0]}", f"--port={PORT}", "--include-dashboard=false"
        )
        machines[1].do("env", "RAY_AUTH_MODE=token", *RAY, f"--node-ip-address={ADDRESSES[1]}", f"--address={head}")
        yield machines


def upscale(out: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "mgld", "upscale", str(EXAMPLES["reef"]), str(out), "--frames", str(FRAMES), *options]


def spread(out: Path, cut_off: bool) -> None:
    """Upscale over both machines; cut one off as soon as the first segment is there, or not."""
    with cluster() as (first, other):
        ray = ("--engine", "ray", "--address", f"{ADDRESSES[0]}:{PORT}", "--workers", "2", "--device", "cpu")
        cache = out.with_name(f"{out.name}-cache")
        job = first.start("env", f"MGLD_CACHE={cache}", *upscale(out, *ray))
        if cut_off:
            until(lambda: any(cache.rglob("*.npz")) or job.poll() is not None)
            other.leave_the_wire()
        if job.wait(LIMIT_S):
            raise SystemExit("the command failed")


def frames_of(folder: Path) -> list[str]:
    """Return the hash of each frame."""
    return [hashlib.sha256(frame.read_bytes()).hexdigest() for frame in sorted(folder.glob("*.png"))]


def main() -> int:
    """Say how long each took and whether its frames are those of one process; return 1 if they are not."""
    with tempfile.TemporaryDirectory(prefix="mgld-hosts-", dir=Path.cwd()) as name:  # /tmp is each machine's own
        folder, wrong = Path(name), 0
        subprocess.run(upscale(folder / "one"), check=True, env=ENVIRONMENT, stdout=subprocess.DEVNULL)
        whole = frames_of(folder / "one")
        for told, cut_off in (("two machines", False), ("one cut off on the way", True)):
            started, out = time.monotonic(), folder / told.replace(" ", "-")
            spread(out, cut_off)
            same = frames_of(out) == whole and len(whole) == FRAMES
            print(
                f"{told}: {time.monotonic() - started:.0f} s, {'the same frames' if same else 'OTHER FRAMES'}",
                flush=True,
            )
            wrong += not same
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
