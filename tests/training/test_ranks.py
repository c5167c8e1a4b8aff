"""Two processes under torchrun train as one: the same weights, samples of their own, one log."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent.parent

PROGRAM = """
import sys
from pathlib import Path
import torch
from mgld.training import ranks
from mgld.training.run import Plan, Run, stream_seed

folder = Path(sys.argv[1])
device = ranks.join("cpu")
torch.manual_seed(ranks.rank())  # fresh networks differ
net = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3)).to(memory_format=torch.channels_last)
plan = Plan(folder / "run", 6, 1, device=device, resume=True, log_every=2, time_limit_s=60 + 60 * ranks.rank())
run = Run(plan, {"net": net}, {"net": torch.optim.Adam(net.parameters(), 0.01, fused=True)}, {"net": net})
generator = torch.Generator().manual_seed(stream_seed(plan))
seen = []
for _ in run.steps(lambda: torch.zeros(3, 4, 4)):
    x = torch.randn(2, 2, 8, 8, generator=generator)
    seen.append(x)
    run.update("net", net(x).square().mean())
torch.save({"net": net.state_dict(), "seen": seen, "done": run.done, "step": run.step}, folder / f"{ranks.rank()}.pt")
ranks.leave()
"""


def launch(folder: Path) -> list[dict]:
    (folder / "program.py").write_text(PROGRAM)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([*torchrun, str(folder / "program.py"), str(folder)], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return [torch.load(folder / f"{rank}.pt") for rank in (0, 1)]


@pytest.mark.slow
def test_two_processes_take_the_same_steps_on_samples_of_their_own(tmp_path):
    first, second = launch(tmp_path)
    for name, tensor in first["net"].items():
        if "running" not in name:  # statistics belong to what a process has seen
            assert torch.equal(tensor, second["net"][name]), name
    assert not torch.equal(first["seen"][0], second["seen"][0])
    assert first["step"] == second["step"] == 6 and first["done"] == second["done"]
    lines = (tmp_path / "run" / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["step", "2", "4", "6"]
