"""Cut an endless clip into segments, and hide the cuts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor

Item = TypeVar("Item")


def cover(
    frames: Iterator[Item], length: int, overlap: int, begins_scene: Callable[[Item, Item], bool] | None = None
) -> Iterator[tuple[list[Item], bool]]:
    """Yield (segment, ends_scene); neighbours in a scene share `overlap` frames, the last segment of a scene may be shorter.

    begins_scene(earlier, later) says where a new scene begins; None: nowhere. Holds one segment and one frame. A tail that would
    hold nothing but shared frames is not started.
    """
    segment: list[Item] = []
    for frame in frames:
        if segment and begins_scene is not None and begins_scene(segment[-1], frame):
            yield segment, True
            segment = []
        elif len(segment) == length:
            yield segment, False
            segment = segment[length - overlap :] if overlap else []
        segment.append(frame)
    if segment:
        yield segment, True


def padded(segment: list[Item], length: int) -> list[Item]:
    """Return a segment filled up to its length with its last item, as the published script does with a clip's last one."""
    return segment + [segment[-1]] * (length - len(segment))


class Seam:
    """Hides the cuts of one kind of tensor: fades each segment's head in from the segment before."""

    def __init__(self) -> None:
        self.tail: Tensor | None = None  # the last segment's view of the frames that it shares with the next

    def join(self, new: Tensor, ready: int) -> Tensor:
        """Return a segment [T,...] joined to the one before; its frames after `ready` are shared with the next."""
        joined = crossfade_head(self.tail, new)
        self.tail = joined[ready:] if ready < len(joined) else None
        return joined


def joined(views: Sequence[Tensor], overlap: int, ready: int) -> Tensor:
    """Return the last of views [T,...], joined as a Seam that has seen the whole scene would join it, bit for bit.

    The others are the earlier segments of its scene that show frames of it too, as they were before any joining. Those frames lie
    behind the heads that still earlier segments fade into, which is why no more need be known.
    """
    seam = Seam()
    for view in views[:-1]:
        seam.join(view, len(view) - overlap)
    return seam.join(views[-1], ready)


def crossfade_head(tail: Tensor | None, new: Tensor) -> Tensor:
    """Return `new` [T,...] with its first frames faded in from `tail` [K,...], the previous segment's view of the same frames."""
    if tail is None:
        return new
    count = len(tail)
    weights = (torch.arange(count, device=new.device, dtype=new.dtype) + 1) / (count + 1)
    head = torch.lerp(tail.to(new), new[:count], weights.view(-1, *[1] * (new.dim() - 1)))
    return torch.cat([head, new[count:]])
