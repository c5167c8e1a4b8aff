"""Plain 3×3 convolutions, which CPUs can compute in other ways: which they are, and what is made of their weights beforehand."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

from torch import Tensor, nn


def is_plain(conv: nn.Conv2d) -> bool:
    """Say whether it is 3×3 over every pixel, with zeros around, each channel to each."""
    shape = conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups, conv.padding_mode
    return shape == ((3, 3), (1, 1), (1, 1), (1, 1), 1, "zeros")


class Kernels:
    """What `make` makes of convolutions' weights, once for as long as these stay what they are."""

    def __init__(self, make: Callable[[Tensor], Tensor]) -> None:
        self._make = make
        self._made: WeakKeyDictionary[nn.Conv2d, tuple[tuple[int, int], Tensor]] = WeakKeyDictionary()

    def of(self, conv: nn.Conv2d) -> Tensor:
        """Return what is made of the weights that conv has now."""
        state = conv.weight.data_ptr(), conv.weight._version
        made = self._made.get(conv)
        if made is None or made[0] != state:
            made = self._made[conv] = state, self._make(conv.weight)
        return made[1]
