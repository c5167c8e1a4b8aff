"""Closed forms that training begins from: PCA for the autoencoder's linear path, least squares from one latent space to another."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mgld.nets import StructureEncoder, VideoUNet, VideoVAE

# Latent deviations are the components' own to this power: 0 would have the denoiser spend itself on noise-like detail, 1 would
# drown detail beside the mean brightness.
WHITENING = 0.5
TYPICAL_NOISE = 0.5  # of the latents that a denoiser reads, when one linear map has to serve all timesteps
LOG_VARIANCE = -6.0  # that a linear encoder begins with: deviation 0.05 in latents of unit size


@torch.no_grad()
def fit_linear(vae: VideoVAE, x: Tensor) -> None:
    """Set the linear path to the principal components of the cells of x [N,3,H,W] in [-1,1]; the convolutions then add nothing.

    Latents get unit size over all channels, each channel in proportion to the root of its component's deviation.
    """
    factor, count = vae.factor, vae.config.latent_channels
    cells = nn.functional.pixel_unshuffle(x.double(), factor).permute(0, 2, 3, 1).flatten(0, 2)  # [M,3·f·f]
    mean = cells.mean(0)
    variances, components = torch.linalg.eigh(torch.cov((cells - mean).T, correction=0))  # ascending
    variances, components = variances.flip(0)[:count], components.flip(1)[:, :count]
    deviations = variances.sqrt()
    sizes = deviations**WHITENING / (deviations ** (2 * WHITENING)).mean().sqrt()  # of the latent's channels
    to_latent, to_cell = (components * (sizes / deviations)).T, (components * (deviations / sizes)).T  # [C,3·f·f]
    grid = (count, 3, factor, factor)
    vae.linear_encoder.weight.copy_(to_latent.reshape(grid))
    vae.linear_encoder.bias.copy_(-to_latent @ mean)
    vae.linear_decoder.weight.copy_(to_cell.reshape(grid))
    # One offset per colour: the mean cell is flat but for noise.
    vae.linear_decoder.bias.copy_(mean.reshape(3, -1).mean(1))
    _silence(vae)


def _silence(vae: VideoVAE) -> None:
    """Make the last convolution of encoder and decoder say nothing yet."""
    last = vae.unfold.last if vae.config.patch > 1 else vae.backbone.decoder.conv_out
    for layer in (vae.backbone.encoder.conv_out, last):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    mean, log_variance = vae.backbone.quant_conv.bias.chunk(2)
    mean.zero_()
    log_variance.fill_(LOG_VARIANCE)


@torch.no_grad()
def transfer(
    old: tuple[VideoVAE, VideoUNet, StructureEncoder], new: tuple[VideoVAE, VideoUNet, StructureEncoder], x: Tensor
) -> None:
    """Begin `new` from trained networks of the same widths that live in another latent space.

    What has the same shape is copied. new's linear autoencoder path is fitted to x [N,3,H,W] in [-1,1]; layers that read or write
    latents are composed with the linear map between both spaces that fits x best.
    """
    for before, after in zip(old, new, strict=True):
        shapes = {k: v.shape for k, v in after.state_dict().items()}
        after.load_state_dict({k: v for k, v in before.state_dict().items() if v.shape == shapes[k]}, strict=False)
    fit_linear(new[0], x)
    z_old, z_new = (_latents(nets[0], x) for nets in (old, new))  # [M,C]
    decoded = _apply(old[0].backbone.post_quant_conv, z_old / old[0].config.scaling_factor)
    _read_through(old[0].backbone.decoder.conv_in, new[0].backbone.decoder.conv_in, *_affine(z_new, decoded, 0.0))
    _be_identity(new[0].backbone.post_quant_conv)
    back, offset = _affine(z_new, z_old, TYPICAL_NOISE)
    _read_through(old[1].backbone.conv_in, new[1].backbone.conv_in, back, offset)
    _read_through(old[2].conv_in, new[2].conv_in, *_affine(z_new, z_old, 0.0))
    forth, _ = _affine(z_old, z_new, 0.0)
    _write_through(old[1].backbone.conv_out, new[1].backbone.conv_out, forth)


def _latents(vae: VideoVAE, x: Tensor) -> Tensor:
    z = torch.cat([vae.encode(picture)[0].mode() for picture in x.split(8)]) * vae.config.scaling_factor
    return z.permute(0, 2, 3, 1).flatten(0, 2)


def _apply(conv: nn.Conv2d, z: Tensor) -> Tensor:
    """Apply a 1×1 convolution to z [M,C]."""
    return z @ conv.weight[:, :, 0, 0].T + conv.bias


def _affine(given: Tensor, wanted: Tensor, noise: float) -> tuple[Tensor, Tensor]:
    """Return A and a such that A·given + a fits wanted best, where given [M,C] carries noise of this deviation."""
    x, y = (z - z.mean(0) for z in (given, wanted))
    covariance = x.T @ x / len(x) + noise**2 * torch.eye(x.shape[1])
    matrix = torch.linalg.solve(covariance, x.T @ y / len(x)).T
    return matrix, wanted.mean(0) - matrix @ given.mean(0)


def _read_through(old: nn.Conv2d, new: nn.Conv2d, matrix: Tensor, offset: Tensor) -> None:
    """Let `new` answer to z as `old` does to matrix·z + offset (away from the border, where zeros are padded)."""
    new.weight.copy_(torch.einsum("oikl,ij->ojkl", old.weight, matrix))
    new.bias.copy_(old.bias + old.weight.sum((2, 3)) @ offset)


def _write_through(old: nn.Conv2d, new: nn.Conv2d, matrix: Tensor) -> None:
    """Let `new` say matrix·v where `old` says v."""
    new.weight.copy_(torch.einsum("ji,iokl->jokl", matrix, old.weight))
    new.bias.copy_(matrix @ old.bias)


def _be_identity(conv: nn.Conv2d) -> None:
    nn.init.dirac_(conv.weight)
    nn.init.zeros_(conv.bias)
