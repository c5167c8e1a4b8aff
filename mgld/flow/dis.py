"""Dense Inverse Search: optical flow without weights, by OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mgld.constants import LUMA
from mgld.device import constant
from mgld.flow import ops

SMALLEST_SIDE = 128  # below this OpenCV leaves out pyramid levels, and below 16 it fails


class Dis:
    """OpenCV's DISOpticalFlow, medium preset, pair by pair on the CPU."""

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """Return flow_px [N,2,H,W] from a to b, both [N,3,H,W] in [0,1], on their device."""
        size_hw = ops.at_least(a.shape[-2:], SMALLEST_SIDE)
        flows = [_flow(_grey(first, size_hw), _grey(second, size_hw)) for first, second in zip(a, b, strict=True)]
        flow_px = torch.from_numpy(np.stack(flows)).permute(0, 3, 1, 2)
        return ops.resize_flow(flow_px, a.shape[-2:]).to(a.device)


def _grey(rgb: Tensor, size_hw: tuple[int, int]) -> np.ndarray:
    """Return rgb [3,H,W] in [0,1] as grey bytes [h,w] (BT.601)."""
    luma = constant(LUMA, torch.device("cpu"))[:, None, None]
    grey = (rgb.detach().float().cpu() * luma).sum(0)[None, None]
    if grey.shape[-2:] != size_hw:
        grey = F.interpolate(grey, size_hw, mode="bicubic", align_corners=False)
    return (grey[0, 0].clamp(0, 1) * 255).round().byte().numpy()


def _flow(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the flow [h,w,2] of one pair; a new estimator each time, because it keeps no promise between threads."""
    return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(first, second, None)
