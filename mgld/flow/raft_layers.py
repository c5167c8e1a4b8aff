"""The layers of RAFT: encoders and update units of the normal and the small network."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _norm(kind: str, channels: int) -> nn.Module:
    return {"batch": nn.BatchNorm2d, "instance": nn.InstanceNorm2d, "none": lambda _: nn.Identity()}[kind](channels)


class Residual(nn.Module):
    """Two 3×3 convolutions beside a shortcut; norm3 is the shortcut's, listed twice as in the public weights."""

    def __init__(self, channels: int, wider: int, norm: str, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, wider, 3, stride, 1)
        self.conv2 = nn.Conv2d(wider, wider, 3, 1, 1)
        self.norm1, self.norm2 = _norm(norm, wider), _norm(norm, wider)
        self.downsample = None
        if stride > 1:
            self.norm3 = _norm(norm, wider)
            self.downsample = nn.Sequential(nn.Conv2d(channels, wider, 1, stride), self.norm3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(self.conv1(x)).relu()
        y = self.norm2(self.conv2(y)).relu()
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 convolutions at a quarter of the width beside a shortcut (small network)."""

    def __init__(self, channels: int, wider: int, norm: str, stride: int) -> None:
        super().__init__()
        narrow = wider // 4
        self.conv1 = nn.Conv2d(channels, narrow, 1)
        self.conv2 = nn.Conv2d(narrow, narrow, 3, stride, 1)
        self.conv3 = nn.Conv2d(narrow, wider, 1)
        self.norm1, self.norm2, self.norm3 = _norm(norm, narrow), _norm(norm, narrow), _norm(norm, wider)
        self.downsample = None
        if stride > 1:
            self.norm4 = _norm(norm, wider)
            self.downsample = nn.Sequential(nn.Conv2d(channels, wider, 1, stride), self.norm4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(self.conv1(x)).relu()
        y = self.norm2(self.conv2(y)).relu()
        y = self.norm3(self.conv3(y)).relu()
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


class Encoder(nn.Module):
    """Frames [N,3,H,W] -> features [N,channels,H/8,W/8]."""

    def __init__(self, channels: int, norm: str, small: bool) -> None:
        super().__init__()
        block, widths = (Bottleneck, (32, 32, 64, 96)) if small else (Residual, (64, 64, 96, 128))
        self.channels = channels
        self.conv1 = nn.Conv2d(3, widths[0], 7, 2, 3)
        self.norm1 = _norm(norm, widths[0])
        for i, stride in enumerate((1, 2, 2)):
            first = block(widths[i], widths[i + 1], norm, stride)
            setattr(self, f"layer{i + 1}", nn.Sequential(first, block(widths[i + 1], widths[i + 1], norm, 1)))
        self.conv2 = nn.Conv2d(widths[-1], channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(self.conv1(x)).relu()
        return self.conv2(self.layer3(self.layer2(self.layer1(x))))


class MotionEncoder(nn.Module):
    """Correlation window and flow -> motion features [N,128,h,w], the flow itself last."""

    def __init__(self, window: int) -> None:
        super().__init__()
        self.convc1 = nn.Conv2d(window, 256, 1)
        self.convc2 = nn.Conv2d(256, 192, 3, padding=1)
        self.convf1 = nn.Conv2d(2, 128, 7, padding=3)
        self.convf2 = nn.Conv2d(128, 64, 3, padding=1)
        self.conv = nn.Conv2d(256, 126, 3, padding=1)

    def forward(self, window: Tensor, flow_px: Tensor) -> Tensor:
        matches = self.convc2(self.convc1(window).relu()).relu()
        moved = self.convf2(self.convf1(flow_px).relu()).relu()
        return torch.cat((self.conv(torch.cat((matches, moved), 1)).relu(), flow_px), 1)


class SmallMotionEncoder(nn.Module):
    """Correlation window and flow -> motion features [N,82,h,w], the flow itself last."""

    def __init__(self, window: int) -> None:
        super().__init__()
        self.convc1 = nn.Conv2d(window, 96, 1)
        self.convf1 = nn.Conv2d(2, 64, 7, padding=3)
        self.convf2 = nn.Conv2d(64, 32, 3, padding=1)
        self.conv = nn.Conv2d(128, 80, 3, padding=1)

    def forward(self, window: Tensor, flow_px: Tensor) -> Tensor:
        matches = self.convc1(window).relu()
        moved = self.convf2(self.convf1(flow_px).relu()).relu()
        return torch.cat((self.conv(torch.cat((matches, moved), 1)).relu(), flow_px), 1)


def _recur(state: Tensor, x: Tensor, convz: nn.Module, convr: nn.Module, convq: nn.Module) -> Tensor:
    """Return (1 - z) h + z tanh(q(r h, x)), the gated recurrent unit with convolutions."""
    joined = torch.cat((state, x), 1)
    update, reset = convz(joined).sigmoid(), convr(joined).sigmoid()
    return (1 - update) * state + update * convq(torch.cat((reset * state, x), 1)).tanh()


class SepConvGRU(nn.Module):
    """Recur along rows (1×5), then along columns (5×1)."""

    def __init__(self, hidden: int, inputs: int) -> None:
        super().__init__()
        for number, kernel in enumerate(((1, 5), (5, 1)), 1):
            padding = (kernel[0] // 2, kernel[1] // 2)
            for gate in "zrq":
                setattr(self, f"conv{gate}{number}", nn.Conv2d(hidden + inputs, hidden, kernel, padding=padding))

    def forward(self, state: Tensor, x: Tensor) -> Tensor:
        state = _recur(state, x, self.convz1, self.convr1, self.convq1)
        return _recur(state, x, self.convz2, self.convr2, self.convq2)


class ConvGRU(nn.Module):
    """Recur with 3×3 convolutions (small network)."""

    def __init__(self, hidden: int, inputs: int) -> None:
        super().__init__()
        for gate in "zrq":
            setattr(self, f"conv{gate}", nn.Conv2d(hidden + inputs, hidden, 3, padding=1))

    def forward(self, state: Tensor, x: Tensor) -> Tensor:
        return _recur(state, x, self.convz, self.convr, self.convq)


class FlowHead(nn.Module):
    """State -> step of the flow [N,2,h,w]."""

    def __init__(self, hidden: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(hidden, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, 2, 3, padding=1)

    def forward(self, state: Tensor) -> Tensor:
        return self.conv2(F.relu(self.conv1(state)))


class Update(nn.Module):
    """One refinement: (state, context, window, flow) -> (state, step)."""

    def __init__(self, window: int, hidden: int, context: int) -> None:
        super().__init__()
        self.encoder = MotionEncoder(window)
        self.gru = SepConvGRU(hidden, 128 + context)
        self.flow_head = FlowHead(hidden, 256)
        self.mask = nn.Sequential(nn.Conv2d(hidden, 256, 3, padding=1), nn.ReLU(), nn.Conv2d(256, 64 * 9, 1))

    def forward(self, state: Tensor, context: Tensor, window: Tensor, flow_px: Tensor) -> tuple[Tensor, Tensor]:
        state = self.gru(state, torch.cat((context, self.encoder(window, flow_px)), 1))
        return state, self.flow_head(state)

    def weights(self, state: Tensor) -> Tensor:
        """Return the logits [N,576,h,w] of the convex enlargement; a quarter balances the gradients in training."""
        return 0.25 * self.mask(state)


class SmallUpdate(nn.Module):
    """One refinement of the small network; it has no learned enlargement."""

    def __init__(self, window: int, hidden: int, context: int) -> None:
        super().__init__()
        self.encoder = SmallMotionEncoder(window)
        self.gru = ConvGRU(hidden, 82 + context)
        self.flow_head = FlowHead(hidden, 128)

    def forward(self, state: Tensor, context: Tensor, window: Tensor, flow_px: Tensor) -> tuple[Tensor, Tensor]:
        state = self.gru(state, torch.cat((context, self.encoder(window, flow_px)), 1))
        return state, self.flow_head(state)
