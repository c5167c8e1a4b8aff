"""The closed forms that training begins from, against what they promise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from mgld.nets import StructureEncoder, VideoUNet, VideoVAE
from mgld.training.linear import fit_linear, transfer

WIDTHS = {"channels": (16, 32), "layers_per_block": 1, "norm_groups": 8}


def networks(latent_channels: int) -> tuple[VideoVAE, VideoUNet, StructureEncoder]:
    latents = {"latent_channels": latent_channels}
    vae = VideoVAE(
        patch=4, middle_attention=False, linear=True, fusion_levels=(0, 1), fusion_growth=4, scaling_factor=1.0, **latents, **WIDTHS
    )  # fmt: skip
    unet = VideoUNet(
        attention=(False, True), head_channels=16, text_channels=8, text_tokens=1, structure_channels=16, sft_channels=8, **latents,
        **WIDTHS,
    )  # fmt: skip
    return vae, unet, StructureEncoder(attention=(False, True), out_channels=16, **latents, **WIDTHS)


def smooth_pictures(count: int) -> torch.Tensor:
    coarse = torch.rand(count, 3, 9, 9, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return torch.nn.functional.interpolate(coarse, size=(64, 64), mode="bicubic").clamp(-1, 1)


def reconstructed(vae: VideoVAE, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return vae.decode(vae.encode(x)[0].mode(), None, 1, fidelity=0.0, temporal=False)


def test_a_fitted_autoencoder_is_the_principal_components_of_its_cells():
    x, vae = smooth_pictures(8), networks(6)[0]
    fit_linear(vae, x)
    cells = pixel_unshuffle(x, 8).permute(0, 2, 3, 1).flatten(0, 2).double().numpy()
    mean = cells.mean(0)
    _, _, components = np.linalg.svd(cells - mean, full_matrices=False)  # the same by another way
    best = (cells - mean) @ components[:6].T @ components[:6] + mean.reshape(3, -1).mean(1).repeat(64)
    expected = pixel_shuffle(torch.tensor(best, dtype=torch.float32).reshape(8, 8, 8, 192).permute(0, 3, 1, 2), 8)
    torch.testing.assert_close(reconstructed(vae, x), expected, atol=1e-4, rtol=0)


def test_its_latents_have_unit_size_and_zero_mean():
    x, vae = smooth_pictures(8), networks(6)[0]
    fit_linear(vae, x)
    z = vae.encode(x)[0].mode()
    assert z.square().mean().item() == pytest.approx(1, rel=1e-3)
    assert z.mean((0, 2, 3)).abs().max() < 1e-3


def test_a_model_begun_in_other_channels_of_the_same_space_answers_alike():
    """Six channels hold all of the four's space, so the linear maps between both lose nothing; noise is what they allow for."""
    torch.manual_seed(0)
    x, old, new = smooth_pictures(8), networks(4), networks(6)
    fit_linear(old[0], x)
    transfer(old, new, x)
    with torch.no_grad():
        z_old, z_new = (nets[0].encode(x)[0].mode() for nets in (old, new))
        t = torch.tensor([500])
        structure = [nets[2](z, t) for nets, z in ((old, z_old), (new, z_new))]
        for before, after in zip(*structure, strict=True):
            inner = slice(2, -2) if before.shape[-1] >= 8 else slice(1, -1)
            close = (before - after)[..., inner, inner].square().mean() / before.square().mean()
            assert close < 0.02
        said = [
            nets[1](z, t, s, 1, temporal=False)
            for nets, z, s in zip((old, new), (z_old, z_new), structure, strict=True)
        ]
    assert said[1].shape[1] == 6 and torch.isfinite(said[1]).all()
    untouched = "backbone.mid_block.resnets.0.conv1.weight"
    assert torch.equal(old[1].state_dict()[untouched], new[1].state_dict()[untouched])
