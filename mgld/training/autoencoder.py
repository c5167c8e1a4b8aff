"""Stage 0 (tiny only): the KL autoencoder, on stills; L1, then LPIPS, then a patch GAN."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from mgld.nets import VideoVAE
from mgld.training.discriminator import PatchDiscriminator, discriminator_loss, generator_loss
from mgld.training.perceptual import load_perceptual
from mgld.training.run import Plan, Run

# Per latent element, beside an L1 per pixel. A weight per image, as one may read LDM's 1e-6 without its summed L1, is 10⁴ times
# too strong: latents then carry half a nat each, and the least useful colour axis is the first to go.
KL_WEIGHT = 1e-6
LPIPS_WEIGHT = 0.5
GAN_WEIGHT = 0.02
LPIPS_FROM = 0.45  # share of the run after which each loss joins
GAN_FROM = 0.75


def train_autoencoder(
    plan: Plan, vae: VideoVAE, batches: Iterator[Tensor], held_out: Tensor, perceptual: bool = True
) -> VideoVAE:
    """Train the spatial autoencoder and return its EMA, with config.scaling_factor set so that latents have unit deviation.

    batches yields x [N,3,H,W] in [-1,1]; held_out [M,3,H,W] is drawn into the sample sheets.
    """
    device = torch.device(plan.device)
    vae = vae.to(device, memory_format=torch.channels_last)
    critic = PatchDiscriminator().to(device, memory_format=torch.channels_last)
    spatial = vae.backbone.requires_grad_(True)
    optimizers = {
        "vae": torch.optim.AdamW(
            [*spatial.parameters(), *vae.unfold.parameters()], plan.learning_rate, betas=(0.9, 0.99)
        ),
        "critic": torch.optim.AdamW(critic.parameters(), plan.learning_rate, betas=(0.5, 0.9)),
    }
    run = Run(plan, {"vae": vae, "critic": critic}, optimizers, averaged={"vae": vae})
    lpips = load_perceptual(plan.device) if perceptual else None
    dtype = getattr(torch, plan.dtype)
    for _ in run.steps(lambda: _sheet(run.ema["vae"], held_out.to(device))):
        x = next(batches).to(device)
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            posterior, _ = vae.encode(x)
            y = vae.decode(posterior.sample(), None, 1, fidelity=0.0, temporal=False)
            judged = critic(y) if run.done > GAN_FROM else None
            distance = lpips(y, x).mean() if lpips is not None and run.done > LPIPS_FROM else None
        l1 = (y.float() - x).abs().mean()
        loss = l1 + KL_WEIGHT * posterior.kl().float().sum() / posterior.mean.numel()
        run.note(l1=l1.detach())
        if distance is not None:
            loss = loss + LPIPS_WEIGHT * distance
        if judged is not None:
            loss = loss + GAN_WEIGHT * generator_loss(judged.float())
        run.update("vae", loss)
        if judged is not None:
            with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
                real, fake = critic(x), critic(y.detach())
            run.update("critic", discriminator_loss(real.float(), fake.float()))
        run.note(lpips=0.0 if distance is None else distance.detach(), loss=loss.detach())
    return _scaled(run.ema["vae"], held_out.to(device))


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


def save_autoencoder(vae: VideoVAE, model: Path) -> None:
    """Write the model folder's vae/ in fp16 shards under 10 MB."""
    vae.half().save_pretrained(model / "vae", max_shard_size="9MB")
