"""What the autoencoder made of single frames, for those that come again: in the next segment, or for another method.

Only on CPUs, where frames are encoded one by one: elsewhere what comes of a frame depends on those beside it, to rounding.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Container

import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import Tensor

from mgld.abreast import alone
from mgld.constants import SEEN_BYTES
from mgld.nets import VideoVAE

Name = tuple[bytes, bool]  # of a frame: a digest, and whether it is `alone`, which its last bits depend on
Encoding = tuple[Tensor, ...]  # of one frame: the moments of its latent's distribution, and the features


class SeenFrames:
    """The encodings of the frames that came last, up to so many bytes; for one autoencoder, whose weights stay as they are.

    for_one_run: no frame comes again later than in the next segment, and memory need not grow with the clip.
    """

    def __init__(self, for_one_run: bool = False, most_bytes: int = SEEN_BYTES) -> None:
        self._for_one_run, self._most_bytes, self._bytes = for_one_run, most_bytes, 0
        self._kept: OrderedDict[Name, Encoding] = OrderedDict()
        self._touched: set[Name] = set()  # by the segment that is worked on

    def encode(self, vae: VideoVAE, x: Tensor) -> tuple[DiagonalGaussianDistribution, list[Tensor]]:
        """Return what vae.encode makes of x [T,3,H,W]; frames that are kept are not encoded again."""
        if x.device.type != "cpu":
            return vae.encode(x)
        names = [_name(frame, i == alone(len(x))) for i, frame in enumerate(x)]
        found = {name: self._kept[name] for name in names if name in self._kept}
        if places := _to_encode(names, found):
            posterior, features = vae.encode(x[places])
            parts = zip(*(made.split(1) for made in (posterior.parameters, *features)), strict=True)
            found |= zip((names[i] for i in places), parts, strict=True)
        self._keep(found)
        moments, *features = map(torch.cat, zip(*(found[name] for name in names), strict=True))
        return DiagonalGaussianDistribution(moments), features

    def end_segment(self) -> None:
        """Forget what the segment that ends has not seen, if nobody else may want it."""
        while self._for_one_run and self._kept and next(iter(self._kept)) not in self._touched:
            self._forget_oldest()
        self._touched.clear()

    def _keep(self, found: dict[Name, Encoding]) -> None:
        for name, encoding in found.items():
            if name not in self._kept:
                self._kept[name] = tuple(part.clone() for part in encoding)  # without the frames that lie beside it
                self._bytes += _bytes_of(encoding)
            self._kept.move_to_end(name)
        self._touched |= set(found)
        while self._bytes > self._most_bytes:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        _, encoding = self._kept.popitem(last=False)
        self._bytes -= _bytes_of(encoding)


def _name(frame: Tensor, is_alone: bool) -> Name:
    return hashlib.sha256(frame.permute(1, 2, 0).contiguous().view(torch.uint8).numpy().data).digest(), is_alone


def _to_encode(names: list[Name], found: Container[Name]) -> list[int]:
    """Return which frames to encode, in an order in which the same one is `alone` as if all were encoded."""
    paired = [i for i, (_, is_alone) in enumerate(names) if not is_alone]
    fresh = [i for i in paired if names[i] not in found]
    if len(fresh) % 2:  # a frame that is known goes beside the last one
        fresh.append(next(i for i in paired if i not in fresh))
    middle = len(fresh) // 2
    lone = [i for i, name in enumerate(names) if i not in paired and name not in found]
    return [*fresh[:middle], *lone, *fresh[middle:]]


def _bytes_of(encoding: Encoding) -> int:
    return sum(part.nbytes for part in encoding)
