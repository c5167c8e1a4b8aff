"""Sides doubled and convolved in one step on CPUs: of the nine products for each pixel of the doubled picture five are twins.

A pixel repeated two by two and then convolved by 3×3 meets each source pixel with a sum of kernel elements, which is known
beforehand: one transposed convolution of 4×4 with stride 2 is the same map with four products a pixel (Shi et al., "Is the
deconvolution layer the same as a convolutional layer?", 2016).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mgld.nets.plain import Kernels, is_plain

# where each of three kernel elements meets a pixel that stands twice: at two of four places side by side
MEETS = ((0, 0, 1), (0, 1, 1), (1, 1, 0), (1, 0, 0))
PAYS = range(1, 2**18 + 1)  # products of channels: above, kernels nearly twice as large fill the memory
FEWEST = 256  # source pixels: with fewer, reading the kernels takes longer than what is saved


def doubles(conv: nn.Conv2d, x: Tensor) -> bool:
    """Tell whether `doubled_convolved` takes x [N,C,h,w] and is the faster way: on a CPU, without gradients."""
    if x.device.type != "cpu" or torch.is_grad_enabled() or x.shape[0] * x.shape[2] * x.shape[3] < FEWEST:
        return False
    return is_plain(conv) and conv.in_channels * conv.out_channels in PAYS


def doubled_convolved(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """Return conv of x [N,C,h,w] with every pixel repeated two by two, [N,K,2h,2w]."""
    return F.conv_transpose2d(x, KERNELS.of(conv), conv.bias, stride=2, padding=1)


def kernel_of(weight: Tensor) -> Tensor:
    """Return the transposed convolution's kernel [C,K,4,4] for weight [K,C,3,3], in its precision; sums are taken in float32."""
    meets = torch.tensor(MEETS, dtype=torch.float32)
    made = torch.einsum("ai,bj,kcij->ckab", meets, meets, weight.float())
    return made.to(weight.dtype).contiguous(memory_format=torch.channels_last)


KERNELS = Kernels(kernel_of)
