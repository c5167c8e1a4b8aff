"""Several training processes, started by torchrun: each takes samples of its own, all take the same steps, the first one writes.

Everything here does nothing in a process that torchrun did not start.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

LONGEST_WAIT = timedelta(hours=24)  # for one process to sample the latents that all train on


def join(device: str) -> str:
    """Meet the other processes, if torchrun started this one; return the device of this one."""
    if not dist.is_torchelastic_launched() or dist.is_initialized():
        return device
    on_gpu = device.startswith("cuda")
    if on_gpu:
        device = f"cuda:{dist.get_node_local_rank()}"
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if on_gpu else "gloo", timeout=LONGEST_WAIT)
    return device


def leave() -> None:
    """Part from the other processes; an error in one of them then shows as itself."""
    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    """Return this process's number, 0 for the one that writes."""
    return dist.get_rank() if dist.is_initialized() else 0


def count() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def wait() -> None:
    """Wait until every process is here."""
    if dist.is_initialized():
        dist.barrier()


@torch.no_grad()
def same_start(modules: Iterable[nn.Module]) -> None:
    """Give every process the first one's weights and buffers."""
    if dist.is_initialized():
        for module in modules:
            for tensor in (*module.parameters(), *module.buffers()):
                _broadcast(tensor)


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace each gradient by its mean over the processes, in one message."""
    if not dist.is_initialized():
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.reshape(-1) for g in gradients])
    dist.all_reduce(flat)
    for gradient, mean in zip(gradients, (flat / count()).split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def of_first(value: float, device: str) -> float:
    """Return the first process's value: clocks differ, and the processes must agree on what the time is."""
    if not dist.is_initialized():
        return value
    told = torch.tensor([value], dtype=torch.float64, device=device)
    dist.broadcast(told, 0)
    return float(told)


def _broadcast(tensor: Tensor) -> None:
    """Send the first process's numbers; a message must lie dense in memory, as channels-last weights do not."""
    dense = tensor.contiguous()
    dist.broadcast(dense, 0)
    if dense is not tensor:
        tensor.copy_(dense)
