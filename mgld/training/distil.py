"""Adversarial few-step distillation: what the sampler makes in one or two steps, decoded, is held against the truth.

Phase "spatial" trains denoiser, structure encoder, decoder and CFW together (the per-frame recipe); "temporal", those frozen, the
temporal layers of both on clips. Reading order: `train_distilled` → `_pictures` → `_against_truth` → `_towards`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler
from torch import Tensor, nn

from mgld import settings
from mgld.flow import FlowNetwork
from mgld.metrics.vgg import Perceptual, load_perceptual
from mgld.nets import StructureEncoder, VideoUNet, VideoVAE
from mgld.training.critics import Critics, deceive, tell_apart
from mgld.training.decoder import sequence_loss
from mgld.training.denoiser import denoising_loss, spatial_parameters
from mgld.training.losses import SQUARE_PX, flat_excess, grid_difference, same_square
from mgld.training.pool import SamplePool
from mgld.training.run import Plan, Run

LPIPS_WEIGHT = 2.0
GRID_WEIGHT = 0.5
SEQUENCE_WEIGHT = 2.0  # of Eq. 6 and 7, which sequence_loss halves
DIFFUSION_WEIGHT = 0.1  # keeps sampling in many steps sound
DECODER_RATE = 2.0  # times the denoiser's learning rate
CRITIC_RATE = 2e-4
TWICE = 0.6  # share of the training steps that sample in two steps; the others in one
USUAL_SECOND = 0.6  # of those go on from USUAL_TIMESTEP, as the sampler does; the others from a random lower one
USUAL_TIMESTEP, LOWEST_TIMESTEP, HIGHEST_TIMESTEP = 499, 20, 950
CRITICS_ALONE = 0.04  # share of the run in which they learn before they are listened to
CRITICS_HEARD = 0.12  # from here on in full
POOL_SAMPLES, SAMPLE_USES = 2048, 8

Batches = Iterator[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Weights:
    """What a person may weigh: the critics' gradient as a share of the others' at the picture, and the loss against hatches."""

    critics: float = settings.CRITICS_SHARE
    flat: float = settings.FLAT_WEIGHT


@dataclass
class Nets:
    """The three networks and the noise schedule; temporal tells whether the temporal layers take part."""

    vae: VideoVAE
    unet: VideoUNet
    encoder: StructureEncoder
    scheduler: DDPMScheduler
    temporal: bool
    dtype: torch.dtype

    def autocast(self) -> torch.autocast:
        """Compute in the run's precision."""
        return torch.autocast(self.vae.device.type, self.dtype, enabled=self.dtype != torch.float32)

    def clean(self, z: Tensor, z_lq: Tensor, timestep: int, frames: int) -> Tensor:
        """Return x̂0 of z [N,c,h,w] at one timestep."""
        t = torch.full((len(z),), timestep, device=z.device)
        with self.autocast():
            output = self.unet(z, t, self.encoder(z_lq, t), frames, temporal=self.temporal).float()
        alpha = float(self.scheduler.alphas_cumprod[timestep])
        if self.scheduler.config.prediction_type == "epsilon":
            return (z - (1 - alpha) ** 0.5 * output) / alpha**0.5
        return alpha**0.5 * z - (1 - alpha) ** 0.5 * output

    def in_steps(self, z_lq: Tensor, frames: int, second: int | None) -> Tensor:
        """Return what the sampler makes of z_lq in one step, or in a second one from that timestep; only the last has gradients."""
        alphas = self.scheduler.alphas_cumprod
        last = len(alphas) - 1
        z = float(alphas[last].sqrt()) * z_lq + float((1 - alphas[last]).sqrt()) * torch.randn_like(z_lq)
        if second is None:
            return self.clean(z, z_lq, last, frames)
        with torch.no_grad():
            z0 = self.clean(z, z_lq, last, frames)
        return self.clean(_posterior(z, z0, float(alphas[last]), float(alphas[second])), z_lq, second, frames)


def _posterior(z: Tensor, z0: Tensor, now: float, after: float) -> Tensor:
    """Draw z at the noise level ᾱ = after from DDPM's posterior, given z at ᾱ = now and the clean estimate."""
    beta = 1 - now / after
    mean = after**0.5 * beta / (1 - now) * z0 + (1 - beta) ** 0.5 * (1 - after) / (1 - now) * z
    return mean + (beta * (1 - after) / (1 - now)) ** 0.5 * torch.randn_like(z)


def second_timestep() -> int | None:
    """Draw where the second sampling step of a training step begins; None for one step alone."""
    if torch.rand(()) >= TWICE:
        return None
    if torch.rand(()) < USUAL_SECOND:
        return USUAL_TIMESTEP
    return int(torch.randint(LOWEST_TIMESTEP, HIGHEST_TIMESTEP, ()))


def train_distilled(
    plan: Plan,
    nets: Nets,
    batches: Batches,
    weights: Weights,
    flow: FlowNetwork | None = None,
    square_px: int = SQUARE_PX,
    perceptual: bool = True,
    sheet: Callable[[Nets], Tensor] | None = None,
) -> Nets:
    """Train one phase and return the averaged networks.

    batches yields (hq [N,T,3,S,S], lq [N,T,3,S/4,S/4]) in [-1,1]; plan.batch clips make a step. LPIPS and the critic of features
    judge one square of square_px of each picture; perceptual=False leaves both critics and LPIPS out. flow measures the truth's
    motion for Eq. 7 (phase "temporal").
    """
    run, critics = _begin(plan, nets)
    device = torch.device(plan.device)
    vgg = load_perceptual(plan.device) if perceptual else None
    pool = SamplePool(lambda: run.take(batches), POOL_SAMPLES, SAMPLE_USES, device)
    averaged = Nets(run.ema["vae"], run.ema["unet"], run.ema["encoder"], nets.scheduler, nets.temporal, nets.dtype)
    for step in run.steps(None if sheet is None else lambda: sheet(averaged)):
        gt, lq = pool.draw(plan.batch)
        frames = len(gt) // plan.batch
        canvas = F.interpolate(lq, size=gt.shape[-2:], mode="bicubic", align_corners=False).clamp(-1, 1)
        z_lq, x = _pictures(nets, canvas, frames)
        loss = _against_truth(x, gt, frames, nets, weights, flow, run)
        judged = None
        if vgg is not None:
            judged = _Judged(vgg, critics, nets, x, gt, canvas, square_px)
            loss = loss + LPIPS_WEIGHT * judged.distance
            run.note(lpips=judged.distance.detach())
        loss = _towards(x, loss, judged, weights.critics * _ramp(run.done), run)
        if step % 2:
            loss = loss + DIFFUSION_WEIGHT * _diffusion(nets, gt, z_lq, frames, run)
        run.update("generator", loss)
        if judged is not None and weights.critics:
            run.update("critics", judged.critics_loss())
    return averaged


def _begin(plan: Plan, nets: Nets) -> tuple[Run, Critics]:
    """Put everything on the device, let gradients reach what the phase trains, and open the run."""
    modules = {"vae": nets.vae, "unet": nets.unet, "encoder": nets.encoder}
    critics = Critics()
    for module in (*modules.values(), critics):
        module.to(plan.device, memory_format=torch.channels_last)
    groups = _trained(nets)
    for module in modules.values():
        module.requires_grad_(False)
    for parameter in (p for group in groups for p in group):
        parameter.requires_grad_(True)
    rates = (plan.learning_rate, DECODER_RATE * plan.learning_rate)
    optimizers = {
        "generator": torch.optim.AdamW(
            [{"params": group, "lr": rate} for group, rate in zip(groups, rates, strict=True)],
            betas=(0.9, 0.99), weight_decay=0.0, fused=True,
        ),
        "critics": torch.optim.AdamW(
            critics.parameters(), CRITIC_RATE, betas=(0.5, 0.99), weight_decay=0.0, fused=True
        ),
    }  # fmt: skip
    run = Run(plan, modules | {"critics": critics}, optimizers, averaged=modules)
    if plan.compile:
        _compile(nets, plan.compile)
    return run, critics


def _compile(nets: Nets, backend: str) -> None:
    """Let torch fuse what the networks launch; the averaged copies, which are saved, stay as they are."""
    for module, names in ((nets.unet, ("forward",)), (nets.encoder, ("forward",)), (nets.vae, ("encode", "decode"))):
        for name in names:
            setattr(module, name, torch.compile(getattr(module, name), backend=backend))


def _trained(nets: Nets) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the parameters that the phase trains, of the denoiser and of the decoder."""
    if nets.temporal:
        return nets.unet.temporal_parameters(), nets.vae.temporal_parameters()
    decoder = nets.vae.decoder_parameters() + list(nets.vae.fusion.parameters())
    return spatial_parameters(nets.unet, nets.encoder), decoder


def _pictures(nets: Nets, canvas: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """Return the LQ latents and the pictures x [N·T,3,S,S] that the sampler makes of them."""
    with torch.no_grad(), nets.autocast():
        posterior, features = nets.vae.encode(canvas)
    z_lq = posterior.sample().float() * nets.vae.config.scaling_factor
    z = nets.in_steps(z_lq, frames, second_timestep())
    features = [f.detach().requires_grad_(True) for f in features]
    with nets.autocast():
        x = nets.vae.decode(z / nets.vae.config.scaling_factor, features, frames, 1.0, nets.temporal)
    return z_lq, x.float()


def _against_truth(
    x: Tensor, gt: Tensor, frames: int, nets: Nets, weights: Weights, flow: FlowNetwork | None, run: Run
) -> Tensor:
    """Return what is asked of x without LPIPS and the critics."""
    l1, flat = (x - gt).abs().mean(), flat_excess(x, gt)
    run.note(l1=l1.detach(), flat=flat.detach())
    loss = l1 + weights.flat * flat
    if nets.temporal:
        return loss + SEQUENCE_WEIGHT * sequence_loss(x, gt, frames, flow, run)
    grid = grid_difference(x, gt, max(nets.vae.config.patch, 2))
    run.note(grid=grid.detach())
    return loss + GRID_WEIGHT * grid


class _Judged:
    """What VGG makes of pictures and truth, and what the critics say."""

    def __init__(
        self, vgg: Perceptual, critics: Critics, nets: Nets, x: Tensor, gt: Tensor, canvas: Tensor, square_px: int
    ) -> None:
        self.critics, self.autocast = critics, nets.autocast
        self.x, self.gt, self.canvas = x, gt, canvas
        fake, real = same_square(x, gt, square_px)
        with nets.autocast():
            with torch.no_grad():
                self.real_maps = vgg.features(real)
            self.fake_maps = vgg.features(fake)
            self.distance = vgg.distance(self.fake_maps, self.real_maps).mean()

    def deceit(self) -> Tensor:
        """Return the generator's loss against the critics."""
        with self.autocast():
            return deceive(self.critics(self.fake_maps, self.x, self.canvas))

    def critics_loss(self) -> Tensor:
        """Return the critics' own loss."""
        with self.autocast():
            real = self.critics(self.real_maps, self.gt, self.canvas)
            fake = self.critics([m.detach() for m in self.fake_maps], self.x.detach(), self.canvas)
        return tell_apart(real, fake)


def _ramp(done: float) -> float:
    """Return what share of the critics' weight counts at this point of the run."""
    return min(max((done - CRITICS_ALONE) / (CRITICS_HEARD - CRITICS_ALONE), 0.0), 1.0)


def _towards(x: Tensor, loss: Tensor, judged: _Judged | None, share: float, run: Run) -> Tensor:
    """Return a loss whose gradient at the picture is loss's plus the critics', scaled to `share` of its length.

    So their say stays the same however sure of themselves they become.
    """
    if judged is None or not share:
        return loss
    deceit = judged.deceit()
    (wanted,) = torch.autograd.grad(loss, x, retain_graph=True)
    (liked,) = torch.autograd.grad(deceit, x)
    scale = share * wanted.norm() / liked.norm().clamp(min=1e-12)
    run.note(deceit=deceit.detach(), scale=scale)
    return (x * (wanted + scale * liked)).sum()


def _diffusion(nets: Nets, gt: Tensor, z_lq: Tensor, frames: int, run: Run) -> Tensor:
    """Return the denoising loss at random timesteps for the first half of the clips."""
    count = max(len(gt) // frames // 2, 1) * frames
    with torch.no_grad(), nets.autocast():
        z_hq = nets.vae.encode(gt[:count])[0].sample().float() * nets.vae.config.scaling_factor
    loss, error = denoising_loss(
        nets.unet, nets.encoder, nets.scheduler, z_hq, z_lq[:count], frames, nets.temporal, nets.dtype
    )
    run.note(mse=error)
    return loss
