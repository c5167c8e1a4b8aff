"""Golden 11: the parts of stage 2's losses that we take over as they are. Eq. 7 itself is ours as printed, not as released."""

from __future__ import annotations

import torch

from mgld.flow.ops import occlusion
from mgld.training.losses import frame_difference, sobel_magnitude
from tests.parity import golden
from tests.parity.golden import close


def test_frame_difference() -> None:
    tensors, _ = golden.load("11_stage2_losses")
    close(frame_difference(tensors["rec"], tensors["gt"]), tensors["l1_diff_mean"].squeeze())


def test_edges() -> None:
    tensors, _ = golden.load("11_stage2_losses")
    close(sobel_magnitude(tensors["gt"][:1]), tensors["sobel_gt_frame0"])


def test_occlusion_at_full_resolution() -> None:
    tensors, _ = golden.load("11_stage2_losses")
    hidden = occlusion(tensors["flow_gt_fwd_pair0"], tensors["flow_gt_bwd_pair0"])
    for ours, key in zip(hidden, ("occ_fwd_pair0", "occ_bwd_pair0"), strict=True):
        assert torch.equal(ours.flatten(), tensors[key].flatten())
