"""Stage 0 (tiny only): the KL autoencoder, on stills; L1, then LPIPS, then a patch GAN."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from mgld.canvas import to_bytes
from mgld.constants import AUTOENCODER_GAN_WEIGHT
from mgld.metrics import fidelity, perceptual
from mgld.metrics.vgg import load_perceptual
from mgld.nets import VideoVAE
from mgld.training.discriminator import PatchDiscriminator, discriminator_loss, generator_loss
from mgld.training.losses import same_square
from mgld.training.run import Plan, Run

# Per latent element, beside an L1 per pixel. A weight per image, as one may read LDM's 1e-6 without its summed L1, is 10⁴ times
# too strong: latents then carry half a nat each, and the least useful colour axis is the first to go.
KL_WEIGHT = 1e-6
LPIPS_WEIGHT = 0.5
LPIPS_FROM = 0.25  # share of the run after which each loss joins
GAN_FROM = 0.6


def train_autoencoder(
    plan: Plan,
    vae: VideoVAE,
    batches: Iterator[Tensor],
    held_out: Tensor,
    with_lpips: bool = True,
    decoder_only: bool = False,
) -> VideoVAE:
    """Train the spatial autoencoder and return its EMA, with config.scaling_factor set so that latents have unit deviation.

    batches yields x [N,3,H,W] in [-1,1]; held_out [M,3,H,W] is drawn into the sample sheets. decoder_only=True keeps the latent
    space, and so a denoiser that was trained in it, as it is; LPIPS then joins at once.
    """
    device = torch.device(plan.device)
    vae = vae.to(device, memory_format=torch.channels_last)
    critic = PatchDiscriminator().to(device, memory_format=torch.channels_last)
    trained = _trained(vae, decoder_only)
    lpips_from = 0.0 if decoder_only else LPIPS_FROM
    optimizers = {
        "vae": torch.optim.AdamW(trained, plan.learning_rate, betas=(0.9, 0.99), fused=True),
        "critic": torch.optim.AdamW(critic.parameters(), plan.learning_rate, betas=(0.5, 0.9), fused=True),
    }
    run = Run(plan, {"vae": vae, "critic": critic}, optimizers, averaged={"vae": vae})
    lpips = load_perceptual(plan.device) if with_lpips else None
    dtype = getattr(torch, plan.dtype)
    for _ in run.steps(lambda: _sheet(run.ema["vae"], held_out.to(device))):
        x = run.take(batches).to(device)
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            with torch.set_grad_enabled(not decoder_only):
                posterior, _ = vae.encode(x)
            y = vae.decode(posterior.sample(), None, 1, fidelity=0.0, temporal=False)
            judged = critic(y) if run.done > GAN_FROM else None
            distance = lpips(*same_square(y, x)).mean() if lpips is not None and run.done >= lpips_from else None
        l1 = (y.float() - x).abs().mean()
        loss = l1 + KL_WEIGHT * posterior.kl().float().sum() / posterior.mean.numel()
        run.note(l1=l1.detach())
        if distance is not None:
            loss = loss + LPIPS_WEIGHT * distance
        if judged is not None:
            loss = loss + AUTOENCODER_GAN_WEIGHT * generator_loss(judged.float())
        run.note(skipped=run.update("vae", loss))
        if judged is not None:
            with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
                real, fake = critic(x), critic(y.detach())
            # Not noted: `skipped` is the share of what the stage trains.
            run.update("critic", discriminator_loss(real.float(), fake.float()))
        run.note(lpips=0.0 if distance is None else distance.detach(), loss=loss.detach())
    return run.ema["vae"] if decoder_only else _scaled(run.ema["vae"], held_out.to(device))


def _trained(vae: VideoVAE, decoder_only: bool) -> list[nn.Parameter]:
    """Let gradients reach the spatial autoencoder, or its decoder, and nothing else; return those parameters."""
    vae.requires_grad_(False)
    trained = vae.decoder_parameters() if decoder_only else vae.spatial_parameters()
    for parameter in trained:
        parameter.requires_grad_(True)
    return trained


@torch.no_grad()
def _sheet(vae: VideoVAE, x: Tensor) -> Tensor:
    """Draw originals over reconstructions, [3,2H,M·W] in [0,1]."""
    y = vae.decode(vae.encode(x)[0].mode(), None, 1, fidelity=0.0, temporal=False)
    return torch.cat([torch.cat(list(rows), dim=2) for rows in (x, y)], dim=1).float().add(1).div(2).clamp(0, 1)


@torch.no_grad()
def _scaled(vae: VideoVAE, x: Tensor) -> VideoVAE:
    """Store 1/std of the latents as the scaling factor."""
    vae.register_to_config(scaling_factor=float(1 / vae.encode(x)[0].mode().std()))
    return vae


@torch.no_grad()
def reconstruction(vae: VideoVAE, x: Tensor, device: str) -> dict[str, float]:
    """Return means over x [N,3,H,W] in [-1,1]: PSNR in dB, LPIPS(VGG), DISTS, and seconds per frame to decode without fusion."""
    vae, rgb, decode_s = vae.to(device, memory_format=torch.channels_last).eval(), [], []
    for picture in x.split(1):
        z = vae.encode(picture.to(device).contiguous(memory_format=torch.channels_last))[0].mode()
        started = time.monotonic()
        y = vae.decode(z, None, 1, fidelity=0.0, temporal=False).float().cpu()
        decode_s.append(time.monotonic() - started)
        rgb.append(_u8(y))
    made, truth = torch.cat(rgb).numpy(), _u8(x).numpy()
    return {
        "psnr_db": fidelity.psnr(made, truth),
        "lpips": perceptual.lpips(made, truth, load_perceptual(device)),
        "dists": perceptual.dists(made, truth, perceptual.load_dists(device)),
        "decode_s": statistics.median(decode_s),
    }


def _u8(x: Tensor) -> Tensor:
    return to_bytes(x).permute(0, 2, 3, 1)
