"""Degraded samples kept on the device, each used several times and turned another way each time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mgld.canvas import from_bytes, to_bytes

Pair = tuple[Tensor, Tensor]
TURNS = 8  # of a square: four rotations, each also mirrored


class SamplePool:
    """A ring of (hq u8 [T,3,S,S], lq u8 [T,3,S/4,S/4]) pairs.

    Making a sample costs as much as a step that uses it, so each is drawn `uses` times on average before it is overwritten.
    """

    def __init__(self, fresh: Callable[[], Pair], capacity: int, uses: int, device: torch.device) -> None:
        """fresh() returns a batch of new pairs in [-1,1], [N,T,3,S,S] and [N,T,3,S/4,S/4]."""
        self._fresh, self._capacity, self._uses, self._device = fresh, capacity, uses, device
        self._rings: Pair | None = None
        self._made, self._owed = 0, 0.0

    def draw(self, count: int) -> Pair:
        """Return `count` pairs in [-1,1], [N·T,3,S,S] and [N·T,3,S/4,S/4]; every eighth of them is turned alike."""
        self._owed += count / self._uses
        while self._owed > 0 or self._made < min(self._capacity, 2 * count):
            self._owed = max(self._owed - self._put(), -float(count))
        chosen = torch.randint(min(self._made, self._capacity), (count,)).to(self._device)
        turns = torch.randint(TURNS, (TURNS,)).tolist()
        hq, lq = (_turned(ring[chosen], turns).flatten(0, 1) for ring in self._rings)
        return _signed(hq), _signed(lq)

    def _put(self) -> int:
        """Write a fresh batch over the oldest pairs; return how many they are."""
        batch = self._fresh()
        if self._rings is None:
            shapes = [(self._capacity, *part.shape[1:]) for part in batch]
            self._rings = tuple(torch.empty(shape, dtype=torch.uint8, device=self._device) for shape in shapes)
        places = (self._made + torch.arange(len(batch[0]))) % self._capacity
        for ring, part in zip(self._rings, batch, strict=True):
            ring[places.to(self._device)] = to_bytes(part).to(self._device)
        self._made += len(batch[0])
        return len(batch[0])


def _turned(x: Tensor, turns: list[int]) -> Tensor:
    """Turn each eighth of x [N,...,S,S] by its own multiple of a right angle, mirrored from the fifth turn on."""
    parts = []
    for part, turn in zip(x.tensor_split(TURNS), turns, strict=True):
        part = torch.rot90(part, turn % 4, (-2, -1))
        parts.append(part.flip(-1) if turn >= 4 else part)
    return torch.cat(parts)


def _signed(x: Tensor) -> Tensor:
    return from_bytes(x).contiguous(memory_format=torch.channels_last)
