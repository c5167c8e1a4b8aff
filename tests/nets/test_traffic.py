"""What a GPU would move and launch at the paper's size, counted without one: on the meta device nothing is computed."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from mgld.nets import StructureEncoder, VideoUNet, VideoVAE, blocks, norm

pytest.importorskip("triton")
LAST = torch.channels_last
FRAMES, SIDE, CELLS = 5, 512, 64


class Watched(TorchDispatchMode):
    """Count the calls, and the large copies; a convolution's result lies as its input does, which meta tensors do not know."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.copies: list[tuple[str, torch.Size]] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result, name = function(*args, **(kwargs or {})), function.overloadpacket.__name__
        self.calls[name] += 1
        if name == "convolution" and result.dim() == 4 and args[0].is_contiguous(memory_format=LAST):
            n, c, h, w = result.shape
            return torch.empty_strided(result.shape, (c * h * w, 1, w * c, c), dtype=result.dtype, device="meta")
        weights = result.dim() < 4 if isinstance(result, torch.Tensor) else True  # small, folded anew in each call
        if name in ("clone", "_to_copy", "copy_") and not weights:
            self.copies.append((name, result.shape))
        return result


@pytest.fixture
def fused(monkeypatch) -> list[tuple[str, torch.Tensor]]:
    """Take the kernels' way, and note what would have to be laid out anew for a kernel."""
    from mgld.nets import triton_norm

    strays: list[tuple[str, torch.Tensor]] = []

    def stand_in(name, result_of=torch.empty_like):
        def run(x, *others, **named):
            maps = [
                t for other in others if isinstance(other, (triton_norm.Modulation, triton_norm.Skip)) for t in other
            ]
            given = [t for t in (x, *maps) if t is not None and t.dim() == 4]
            strays.extend((name, t) for t in given if not t.is_contiguous(memory_format=LAST))
            return result_of(x)

        monkeypatch.setattr(triton_norm, name, run)

    def attention(q, k, v):
        n, heads, length, width = q.shape
        return torch.empty(n, length, heads, width, dtype=q.dtype, device=q.device).transpose(1, 2)

    stand_in("group_norm")
    stand_in("joined")
    stand_in("doubled", lambda x: x.new_empty(len(x), 2 * x.shape[2], 2 * x.shape[3], x.shape[1]).permute(0, 3, 1, 2))
    stand_in("gated", lambda x: x[..., : x.shape[-1] // 2].contiguous())
    monkeypatch.setattr(F, "scaled_dot_product_attention", attention)
    for module in (norm, blocks):
        monkeypatch.setattr(module, "is_fused", lambda x: True)
    return strays


def meta(kind) -> torch.nn.Module:
    with torch.device("meta"):
        return torch.nn.Module.to(kind().requires_grad_(False), dtype=torch.float16, memory_format=LAST)


def activations(*shape: int) -> torch.Tensor:
    return torch.empty(shape, dtype=torch.float16, device="meta").contiguous(memory_format=LAST)


@pytest.mark.slow
@torch.no_grad()
def test_no_activation_is_laid_out_anew_in_a_denoising_step(fused):
    encoder, unet = meta(StructureEncoder), meta(VideoUNet)
    z, t = activations(FRAMES, 4, CELLS, CELLS), torch.empty(1, dtype=torch.long, device="meta")
    with Watched() as watched:
        out = unet(z, t, encoder(z, t), FRAMES)
    assert out.is_contiguous(memory_format=LAST) and not fused
    # the text once for all layers; time attention brings the frames of a pixel together, at the deepest level, and back
    assert all(shape.numel() <= FRAMES * 1280 * 64 for _, shape in watched.copies), watched.copies


@pytest.mark.slow
@torch.no_grad()
def test_no_activation_is_laid_out_anew_while_coding(fused):
    vae, x = meta(VideoVAE), activations(FRAMES, 3, SIDE, SIDE)
    with Watched() as watched:
        posterior, features = vae.encode(x)
        z = posterior.mean.contiguous(memory_format=LAST)
        out = vae.decode(z, features, FRAMES)
    assert out.shape == x.shape and out.is_contiguous(memory_format=LAST) and not fused
    assert all(shape.numel() <= z.numel() for _, shape in watched.copies), watched.copies
