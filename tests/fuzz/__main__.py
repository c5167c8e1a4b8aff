"""`python -m tests.fuzz --minutes N [--api] [--seed S] [--keep FOLDER]`: files, or with --api payloads."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.fuzz import api
from tests.fuzz.seeds import damaged, encoded_pictures, valid_files

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 30.0  # for one file, on a busy machine


class Worker:
    """A process that reads files; started anew when one of them ended it."""

    def __init__(self, encoded: Path) -> None:
        self._encoded = encoded
        self._process: subprocess.Popen | None = None

    def outcome(self, path: Path) -> dict:
        """Return what came out of a file: clip, refused, broke (with its trace), crashed or hung."""
        if self._process is None:
            command = [sys.executable, "-m", "tests.fuzz.worker", str(self._encoded)]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            self._process = subprocess.Popen(command, cwd=ROOT, text=True, **pipes)
        watch = threading.Timer(PATIENCE_S, self._process.kill)
        watch.start()
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        hung = not watch.is_alive()
        watch.cancel()
        if answer:
            return json.loads(answer)
        self.close()
        return {"outcome": "hung" if hung else "crashed"}

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process.stdout.close()
            self._process = None


def cases(seeds: list[Path], folder: Path, first: int) -> Iterator[tuple[int, Path]]:
    """Yield (number, damaged copy of a seed); the number alone decides what is damaged and how."""
    number = first
    while True:
        rng = np.random.default_rng(number)
        seed = seeds[int(rng.integers(0, len(seeds)))]
        place = folder / f"case{seed.suffix}" if seed.is_file() else folder / f"case-{seed.name}"
        if seed.is_file():
            place.write_bytes(damaged(seed.read_bytes(), rng))
        else:
            place.mkdir(exist_ok=True)
            for file in seed.iterdir():
                (place / file.name).write_bytes(damaged(file.read_bytes(), rng))
        yield number, place
        number += 1


def run(seconds: float, first: int, keep: Path, most: int | None = None) -> tuple[Counter, list[tuple[int, dict]]]:
    """Try damaged files for so long; return how often each outcome came, and what was neither clip nor refusal."""
    counts, findings = Counter(), []
    with tempfile.TemporaryDirectory(prefix="mgld-fuzz-") as name:
        folder = Path(name)
        seeds, worker = valid_files(folder), Worker(encoded_pictures(folder))
        for seed in seeds:
            assert worker.outcome(seed)["outcome"] == "clip", f"{seed.name} is not even read whole"
        end = time.monotonic() + seconds
        for number, path in cases(seeds, folder, first):
            told = worker.outcome(path)
            counts[told["outcome"]] += 1
            if told["outcome"] not in ("clip", "refused"):
                findings.append((number, told))
                keep.mkdir(parents=True, exist_ok=True)
                path.rename(keep / f"{number}-{path.name}")
            if time.monotonic() > end or sum(counts.values()) == most:
                break
        worker.close()
    return counts, findings


def main() -> int:
    """Fuzz, tell, and return 1 if anything came out that may not."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--api", action="store_true", help="send payloads to a page instead of reading files")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="number of the first case")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "mgld-fuzz-findings")
    chosen = parser.parse_args()
    if chosen.api:
        with tempfile.TemporaryDirectory(prefix="mgld-fuzz-") as name:
            counts, findings = api.run(60 * chosen.minutes, chosen.seed, Path(name))
    else:
        counts, findings = run(60 * chosen.minutes, chosen.seed, chosen.keep)
    print(f"first case {chosen.seed}: {dict(counts)}")
    for number, told in findings:
        print(f"\ncase {number} {told['outcome']}\n{told.get('trace', '')}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
