"""Stage 1: the denoiser. First the per-frame model (U-Net, SFT, structure encoder), then, frozen, the temporal layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from diffusers import DDPMScheduler
from torch import Tensor, nn

from mgld.canvas import enlarged, from_bytes
from mgld.nets import Cleaner, StructureEncoder, VideoUNet, VideoVAE
from mgld.nets.cleaner import seen
from mgld.training.data import Sample
from mgld.training.graphs import Replayed
from mgld.training.pool import Supply, supplied
from mgld.training.run import Plan, Run, stream_seed

SNR_CAP = 5.0  # min-SNR-γ (Hang et al. 2023)
START_SHARE = 0.15  # share of the noisiest timesteps that also learn to start from the LQ latent
POOL_CLIPS = 256


@dataclass
class LatentPool:
    """Keep encoded clips for a few uses each, since encoding and degrading cost as much as a training step."""

    uses: int = 8
    clips: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def draw(self, count: int, fresh: Supply, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return z_hq, z_lq [count·T,c,h,w]; ask fresh for [N,T,c,h,w] pairs often enough that each serves `uses` times.

        More often where fresh has none ready.
        """
        wanted = max(count // self.uses, 1)
        while wanted > 0 or len(self.clips) < min(POOL_CLIPS, 4 * count):
            pairs = fresh(needed=len(self.clips) < min(POOL_CLIPS, 4 * count))
            if pairs is None:
                break
            self.clips.extend(zip(*pairs, strict=True))
            wanted -= len(pairs[0])
        self.clips = self.clips[-POOL_CLIPS:]
        chosen = torch.randperm(len(self.clips), generator=generator)[:count].tolist()
        hq, lq = zip(*(self.clips[i] for i in chosen), strict=True)
        return torch.cat(hq), torch.cat(lq)


@torch.no_grad()
def encode_pairs(
    vae: VideoVAE, hq: Tensor, lq: Tensor, dtype: torch.dtype, cleaner: Cleaner | None = None
) -> tuple[Tensor, Tensor]:
    """Return scaled latents [N,T,c,h,w] of hq [N,T,3,S,S] and lq [N,T,3,S/4,S/4], both in [-1,1]; lq is cleaned by a cleaner."""
    shape, lq = hq.shape[:2], lq.flatten(0, 1)
    up = enlarged(lq, hq.shape[-2:])
    with torch.autocast(hq.device.type, dtype, enabled=dtype != torch.float32):
        up = seen(lq, up, cleaner)
        z = [vae.encode(x.contiguous(memory_format=torch.channels_last))[0].sample() for x in (hq.flatten(0, 1), up)]
    return tuple((latent.float() * vae.config.scaling_factor).unflatten(0, shape) for latent in z)


def noisy_pair(scheduler: DDPMScheduler, z_hq: Tensor, z_lq: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Return z_t and the scheduler's training target for clean latents z_hq [N,c,h,w] at timesteps t [N].

    Sampling starts from the noised *LQ* latent (spec §4). So that the network has seen such starts, the clean part of z_t fades
    from z_hq to z_lq over the noisiest timesteps, while the target still points at z_hq: the difference counts as noise.
    """
    alpha = scheduler.alphas_cumprod.to(z_hq.device)[t].view(-1, 1, 1, 1)
    last = scheduler.config.num_train_timesteps
    fade = ((t / last - (1 - START_SHARE)) / START_SHARE).clamp(0, 1).view(-1, 1, 1, 1)
    z_t = alpha.sqrt() * (z_hq + fade * (z_lq - z_hq)) + (1 - alpha).sqrt() * torch.randn_like(z_hq)
    noise = (z_t - alpha.sqrt() * z_hq) / (1 - alpha).sqrt()
    if scheduler.config.prediction_type == "epsilon":
        return z_t, noise
    return z_t, alpha.sqrt() * noise - (1 - alpha).sqrt() * z_hq  # v


def snr_weight(scheduler: DDPMScheduler, t: Tensor) -> Tensor:
    """Return min-SNR weights [N] for the scheduler's prediction type."""
    alpha = scheduler.alphas_cumprod.to(t.device)[t]
    snr = alpha / (1 - alpha)
    return snr.clamp(max=SNR_CAP) / (snr if scheduler.config.prediction_type == "epsilon" else snr + 1)


def timesteps_for(clips: int, frames: int, last: int, device: torch.device) -> Tensor:
    """Draw one timestep per clip, spread evenly over the batch, [clips·frames].

    The published code draws one per frame, so that its temporal layers meet mixed noise levels that sampling never shows them.
    """
    share = (torch.rand(1, device=device) + torch.arange(clips, device=device) / clips) % 1
    return (share * last).long().repeat_interleave(frames)


def denoising_loss(
    unet: VideoUNet,
    encoder: StructureEncoder,
    scheduler: DDPMScheduler,
    z_hq: Tensor,
    z_lq: Tensor,
    frames: int,
    temporal: bool,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor]:
    """Return the weighted loss of clips z_hq, z_lq [N·frames,c,h,w] at random timesteps, and the plain mean squared error."""
    device = z_hq.device
    t = timesteps_for(len(z_hq) // frames, frames, scheduler.config.num_train_timesteps, device)
    z_t, target = noisy_pair(scheduler, z_hq, z_lq, t)
    with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        predicted = unet(z_t, t, encoder(z_lq, t), frames, temporal=temporal)
    error = (predicted.float() - target).square().mean((1, 2, 3))
    return (snr_weight(scheduler, t) * error).mean(), error.mean().detach()


def train_denoiser(
    plan: Plan,
    vae: VideoVAE,
    unet: VideoUNet,
    encoder: StructureEncoder,
    scheduler: DDPMScheduler,
    samples: Iterator[Sample],
    temporal: bool = False,
    sheet: Callable[[VideoUNet, StructureEncoder], Tensor] | None = None,
    cleaner: Cleaner | None = None,
) -> tuple[VideoUNet, StructureEncoder]:
    """Train one phase of stage 1 and return the averaged networks.

    samples yields (hq [N,T,3,S,S], lq [N,T,3,S/4,S/4]) as bytes; a cleaner mends the latter, and learns nothing here.
    temporal=True trains the temporal layers alone.
    """
    device, dtype = torch.device(plan.device), getattr(torch, plan.dtype)
    frozen = [net.requires_grad_(False) for net in (vae, cleaner) if net is not None]
    for net in (*frozen, unet, encoder):
        net.to(device, memory_format=torch.channels_last)
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.to(device)
    trained = unet.temporal_parameters() if temporal else spatial_parameters(unet, encoder)
    for net in (unet, encoder):
        net.requires_grad_(False)
    for parameter in trained:
        parameter.requires_grad_(True)
    optimizers = {"denoiser": torch.optim.AdamW(trained, plan.learning_rate, betas=(0.9, 0.99), fused=True)}
    networks = {"unet": unet, "structure_encoder": encoder}
    run = Run(plan, networks, optimizers, averaged=networks)
    pool, generator = LatentPool(), torch.Generator().manual_seed(stream_seed(plan))

    def step(kind: str, z_hq: Tensor, z_lq: Tensor) -> dict[str, Tensor]:
        frames = len(z_hq) // plan.batch
        loss, error = denoising_loss(unet, encoder, scheduler, z_hq, z_lq, frames, temporal, dtype)
        return {"mse": error, "skipped": run.update("denoiser", loss)}

    step_of = Replayed(step, run.replays)
    draw_sheet = None if sheet is None else lambda: sheet(run.ema["unet"], run.ema["structure_encoder"])
    with supplied(samples, run) as supply:
        fresh = _encoding(supply, vae, cleaner, device, dtype)
        for _ in run.steps(draw_sheet):
            run.note(**step_of("denoising", *pool.draw(plan.batch, fresh, generator)))
    return run.ema["unet"], run.ema["structure_encoder"]


def _encoding(
    supply: Supply, vae: VideoVAE, cleaner: Cleaner | None, device: torch.device, dtype: torch.dtype
) -> Supply:
    """Return a supply of latents of what the given one yields."""

    def fresh(needed: bool) -> Sample | None:
        pair = supply(needed=needed)
        if pair is None:
            return None
        return encode_pairs(vae, *(from_bytes(part.to(device)) for part in pair), dtype, cleaner)

    return fresh


def spatial_parameters(unet: VideoUNet, encoder: StructureEncoder) -> list[nn.Parameter]:
    """Return what the per-frame denoiser consists of."""
    temporal = {id(p) for p in unet.temporal_parameters()}
    return [p for p in unet.parameters() if id(p) not in temporal] + list(encoder.parameters())
