"""The two networks of the ESRGAN family, for comparison: RRDBNet (Wang et al. 2018) and the compact SRVGG (Real-ESRGAN, 2021).

Module names are the published checkpoints', whose shapes say how large a network is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mgld.nets.layers import conv3x3

SLOPE = 0.2
DAMPING = 0.2


class _Dense(nn.Module):
    """Five densely joined convolutions with a damped residual."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        for i in range(5):
            setattr(self, f"conv{i + 1}", conv3x3(width + i * growth, growth if i < 4 else width))

    def forward(self, x: Tensor) -> Tensor:
        grown = x
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            grown = torch.cat([grown, F.leaky_relu(conv(grown), SLOPE)], dim=1)
        return x + DAMPING * self.conv5(grown)


class _ResidualDense(nn.Module):
    """Three dense blocks with an outer damped residual."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (_Dense(width, growth) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        return x + DAMPING * self.rdb3(self.rdb2(self.rdb1(x)))


class RRDBNet(nn.Module):
    """4× enlargement by residual-in-residual dense blocks, then two nearest-neighbour doublings."""

    def __init__(self, blocks: int = 23, width: int = 64, growth: int = 32) -> None:
        super().__init__()
        self.conv_first = conv3x3(3, width)
        self.body = nn.Sequential(*(_ResidualDense(width, growth) for _ in range(blocks)))
        self.conv_body, self.conv_up1, self.conv_up2, self.conv_hr = (conv3x3(width, width) for _ in range(4))
        self.conv_last = conv3x3(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [N,3,h,w] in [0,1] to [N,3,4h,4w]."""
        h = self.conv_first(x)
        h = h + self.conv_body(self.body(h))
        for conv in (self.conv_up1, self.conv_up2):
            h = F.leaky_relu(conv(F.interpolate(h, scale_factor=2.0)), SLOPE)
        return self.conv_last(F.leaky_relu(self.conv_hr(h), SLOPE))


class SRVGG(nn.Module):
    """4× enlargement by plain convolutions at the small size; their last channels are shuffled and added to the enlarged input."""

    def __init__(self, layers: int = 16, width: int = 64) -> None:
        super().__init__()
        stages: list[nn.Module] = [conv3x3(3, width), nn.PReLU(width)]
        for _ in range(layers):
            stages += [conv3x3(width, width), nn.PReLU(width)]
        self.body = nn.Sequential(*stages, conv3x3(width, 3 * 16))

    def forward(self, x: Tensor) -> Tensor:
        """Map x [N,3,h,w] in [0,1] to [N,3,4h,4w]."""
        return F.pixel_shuffle(self.body(x), 4) + F.interpolate(x, scale_factor=4.0)


def esrgan_of(state: Mapping[str, Tensor]) -> nn.Module:
    """Return the network that a checkpoint's tensors belong to, loaded; raise ValueError saying why there is none.

    Names of the first ESRGAN release (`model.1.sub.0.RDB1.conv1.0.weight`) are read too.
    """
    state = {_new_name(name): tensor for name, tensor in state.items()}
    try:
        net = _rrdb(state) if "conv_first.weight" in state else _srvgg(state)
        net.load_state_dict(state)
    except (KeyError, RuntimeError, ValueError) as error:
        raise ValueError("it is neither an RRDBNet nor an SRVGG network that enlarges 4×") from error
    return net.requires_grad_(False).eval()


def _rrdb(state: Mapping[str, Tensor]) -> RRDBNet:
    blocks = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("body."))
    growth, width = state["body.0.rdb1.conv1.weight"].shape[:2]
    return RRDBNet(blocks, width, growth)


def _srvgg(state: Mapping[str, Tensor]) -> SRVGG:
    last = max(int(name.split(".")[1]) for name in state if name.startswith("body."))
    return SRVGG(last // 2 - 1, state["body.0.weight"].shape[0])


OLD_NAMES = {
    "model.0": "conv_first", "model.3": "conv_up1", "model.6": "conv_up2", "model.8": "conv_hr", "model.10": "conv_last",
}  # fmt: skip


def _new_name(name: str) -> str:
    """Return the present name of a tensor of the first release."""
    inner = re.fullmatch(r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.(weight|bias)", name)
    if inner:
        return "body.{}.rdb{}.conv{}.{}".format(*inner.groups())
    outer = re.fullmatch(r"model\.1\.sub\.\d+\.(weight|bias)", name)
    if outer:
        return f"conv_body.{outer[1]}"
    part, _, kind = name.rpartition(".")
    return f"{OLD_NAMES[part]}.{kind}" if part in OLD_NAMES else name
