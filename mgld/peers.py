"""What people would use instead: any 4× checkpoint of the ESRGAN family, frame by frame, as a yardstick beside our results."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from mgld import errors
from mgld.constants import SCALE
from mgld.device import OPENING, best_dtype
from mgld.nets.esrgan import esrgan_of
from mgld.sampling.tiles import blend, image_tiles

TILE_PX, STRIDE_PX = 256, 224  # of the small frame
WRAPPINGS = ("params_ema", "params", "state_dict")  # of published checkpoints


def load_peer(path: Path, device: str) -> nn.Module:
    """Return the network of a .safetensors or .pth file; raise UserError saying how to get one, or what is wrong with it."""
    if not path.exists():
        raise errors.peer_missing(path)
    try:
        stored = load_file(path) if path.suffix == ".safetensors" else _pickled(path)
        with OPENING:
            net = esrgan_of({name: tensor.float() for name, tensor in stored.items()})
    except (OSError, ValueError, AttributeError, RuntimeError, SafetensorError, pickle.UnpicklingError) as error:
        reason = str(error) if isinstance(error, ValueError) else "it is damaged, or holds more than tensors"
        raise errors.weights_broken(path, reason) from error
    return net.to(device, getattr(torch, best_dtype(device)), memory_format=torch.channels_last)


def _pickled(path: Path) -> dict[str, Tensor]:
    """Read a .pth file's tensors, and nothing that could run code."""
    stored = torch.load(path, map_location="cpu", weights_only=True)
    return next((stored[name] for name in WRAPPINGS if name in stored), stored)


@torch.no_grad()
def enlarge(net: nn.Module, frames_u8: np.ndarray) -> np.ndarray:
    """Upscale u8 [T,h,w,3] to u8 [T,4h,4w,3], each frame on its own."""
    return np.stack([_frame(net, frame) for frame in frames_u8])


def _frame(net: nn.Module, rgb_u8: np.ndarray) -> np.ndarray:
    weight = next(net.parameters())
    x = torch.from_numpy(np.ascontiguousarray(rgb_u8)).permute(2, 0, 1)[None].to(weight.device).float() / 255
    parts = [
        (SCALE * top, SCALE * left, net(tile.to(weight.dtype).contiguous(memory_format=torch.channels_last)).float())
        for top, left, tile in image_tiles(x, TILE_PX, STRIDE_PX)
    ]
    large = blend(parts, (SCALE * x.shape[-2], SCALE * x.shape[-1]))
    return large[0].clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
