"""Steadiness and sharpness of a clip: warping error along the motion, its share at segment borders, edge strength."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mgld.abreast import abreast
from mgld.constants import LUMA, SCALE
from mgld.flow import FlowNetwork, estimate_motion
from mgld.flow.ops import in_bounds, resize_flow, warp


class Backward(NamedTuple):
    """Where each pixel of frame i+1 was in frame i, and whether it was seen there."""

    flow_px: Tensor  # [T-1,2,H,W]
    visible: Tensor  # bool [T-1,1,H,W]


def motion_of(reference_u8: np.ndarray, network: FlowNetwork) -> Backward:
    """Return the backward motion O_b of u8 [T,H,W,3], pair by pair; hidden or outside by the forward-backward check."""
    size_hw = reference_u8.shape[1:3]

    def between(pair_u8: np.ndarray) -> tuple[Tensor, Tensor]:
        motion = estimate_motion(_rgb(pair_u8), network, size_hw)
        return motion.to_previous, (motion.visible_in_previous * in_bounds(motion.to_previous)).bool()

    found = abreast(between, [(reference_u8[i : i + 2],) for i in range(len(reference_u8) - 1)])
    if not found:
        return Backward(torch.zeros(0, 2, *size_hw), torch.zeros(0, 1, *size_hw, dtype=torch.bool))
    return Backward(*(torch.cat(parts).cpu() for parts in zip(*found, strict=True)))


def at_lq_size(network: FlowNetwork) -> FlowNetwork:
    """Return a network that measures frames shrunk to the low-quality input's size, which is all the motion that an input shows.

    At twice that size SpyNet costs three times as much, and on an enlarged input it finds fewer pixels that can be judged.
    """

    def measure(a: Tensor, b: Tensor) -> Tensor:
        height, width = a.shape[-2:]
        small = [max(side // SCALE, 1) for side in (height, width)]
        flow_px = network(*(F.interpolate(x, small, mode="area") for x in (a, b)))
        return resize_flow(flow_px, (height, width))

    return measure


def in_precision(network: FlowNetwork, dtype: str) -> FlowNetwork:
    """Return a network that convolves in dtype, the precision that results are made in: SpyNet then takes 0.6 of the time on a CPU.

    On four committed clips flow moves by 0.01 px, WE by 0.3 % at most.
    """

    def measure(a: Tensor, b: Tensor) -> Tensor:
        with torch.autocast("cpu", getattr(torch, dtype), enabled=dtype != "float32"):
            return network(a, b).float()

    return measure


def warping_errors(clip_u8: np.ndarray, motion: Backward) -> list[float]:
    """Return WE of each pair i → i+1, T-1 numbers of 0…255, lower is steadier; clip u8 [T,H,W,3] (Eq. 9).

    Mean over RGB and visible pixels of |Î(i+1) − Warp(Î(i), O_b(i))|; motion is that of the ground truth where there is one,
    else of the clip itself. The paper prints an L1 norm and no mask; the mean makes sizes comparable and gives the order of
    its numbers (2.7–12), the mask leaves out what has no counterpart. NaN where nothing is visible, as across a cut.
    """
    return [mean_residual(residual_of(clip_u8, motion, i)) for i in range(len(motion.flow_px))]


def residual_of(clip_u8: np.ndarray, motion: Backward, i: int) -> np.ndarray:
    """Return what motion does not explain of pair i, |Î(i+1) − Warp(Î(i), O_b(i))|: f32 [H,W], mean over RGB, 0…255.

    NaN where the earlier frame does not show the pixel. Clip u8 [T,H,W,3].
    """
    earlier, later = (_rgb(frame[None]) * 255 for frame in clip_u8[i : i + 2])
    difference = (later - warp(earlier, motion.flow_px[i : i + 1])).abs().mean(1)
    return difference.masked_fill(~motion.visible[i], torch.nan)[0].numpy()


def mean_residual(residual: np.ndarray) -> float:
    """Return the mean over the pixels that can be judged; NaN if there are none."""
    known = residual[np.isfinite(residual)]
    return float(known.mean(dtype=np.float64)) if known.size else math.nan


def warping_error(pair_errors: list[float]) -> float | None:
    """Return WE of a clip: the mean over its pairs (Eq. 9), 0…255, lower is steadier; None if no pair can be judged."""
    known = [e for e in pair_errors if np.isfinite(e)]
    return float(np.mean(known)) if known else None


def border_ratio(pair_errors: list[float], borders: Collection[int]) -> float | None:
    """Return WE into the frames that start a segment ÷ WE of all other pairs; 1 is seamless, lower is better.

    borders holds frame indices: pair i leads from frame i to frame i+1. None where one of the two is empty or zero.
    """
    at_border = warping_error([e for i, e in enumerate(pair_errors) if i + 1 in borders])
    inside = warping_error([e for i, e in enumerate(pair_errors) if i + 1 not in borders])
    return at_border / inside if at_border is not None and inside else None


def sharpness(clip_u8: np.ndarray) -> list[float]:
    """Return each frame's mean Sobel gradient magnitude of luma in [0,1], T numbers of 0…1.42, higher is sharper.

    Clip u8 [T,H,W,3]. Kernels are divided by 4, so that a step from black to white reaches 1. Noise counts as sharpness too.
    """
    return [_edge_strength(frame) for frame in clip_u8]


def sharpness_ratio(clip_u8: np.ndarray, reference_u8: np.ndarray) -> float | None:
    """Return mean sharpness(clip) ÷ mean sharpness(reference), 0…inf, 1 is right: less is blur, more is grain; None if flat."""
    edges = float(np.mean(sharpness(reference_u8)))
    return float(np.mean(sharpness(clip_u8))) / edges if edges else None


def _edge_strength(frame_u8: np.ndarray) -> float:
    luma = frame_u8.astype(np.float32) @ np.array(LUMA, np.float32) / 255
    dx, dy = (cv2.Sobel(luma, cv2.CV_32F, *order, scale=0.25) for order in ((1, 0), (0, 1)))
    return float(np.hypot(dx, dy).mean())


def _rgb(frames_u8: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(frames_u8)).permute(0, 3, 1, 2).float() / 255
