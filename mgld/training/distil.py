"""Adversarial few-step distillation: what the sampler makes in one or two steps, decoded, is held against the truth.

Phase "spatial" trains denoiser, structure encoder, decoder, CFW and, where there is one, the cleaner together (the per-frame
recipe); "temporal", those frozen, the temporal layers of both on clips; "gate" nothing but the decoder's gate. Reading order:
`train_distilled` → `Distilling.step` → `_pictures` (through `sampled.py`) → `_against_truth` → `_towards`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mgld import constants
from mgld.canvas import enlarged
from mgld.flow import FlowNetwork
from mgld.flow.temporal_filter import averaged
from mgld.metrics.perceptual import Dists, load_dists
from mgld.metrics.vgg import Perceptual, load_perceptual, unit_length
from mgld.training.critics import Critics, deceive, tell_apart
from mgld.training.data import Sample
from mgld.training.decoder import sequence_loss
from mgld.training.denoiser import denoising_loss, spatial_parameters
from mgld.training.graphs import Replayed
from mgld.training.losses import flat_excess, grid_difference, same_square
from mgld.training.pool import SamplePool, supplied
from mgld.training.run import Plan, Run
from mgld.training.sampled import Nets, second_timestep

LPIPS_WEIGHT = 2.0
DISTS_WEIGHT = 3.0  # likeness of texture, which L1 and LPIPS let go; so weighted, its gradient is as long as LPIPS'
CANVAS_WEIGHT = 0.5  # of what the cleaner makes, by itself; more comes through the networks behind it
GRID_WEIGHT = 0.5
SEQUENCE_WEIGHT = 0.7  # of Eq. 6 and 7, which sequence_loss halves; 1 took a twentieth of the sharpness, 2 an eighth
DIFFUSION_WEIGHT = 0.1  # keeps sampling in many steps sound
DECODER_RATE = 2.0  # times the denoiser's learning rate
CRITIC_RATE = 2e-4
TWICE = 0.6  # share of the training steps that sample in two steps; the others in one
CRITICS_ALONE = 0.04  # share of the run in which they learn before they are listened to
CRITICS_HEARD = 0.12  # from here on in full
POOL_SAMPLES, SAMPLE_USES = 2048, 4


@dataclass(frozen=True)
class Weights:
    """What a person may weigh: the critics' gradient as a share of the others' at the picture, and the loss against hatches."""

    critics: float = constants.CRITICS_SHARE
    flat: float = constants.FLAT_WEIGHT


class Kind(NamedTuple):
    """What a training step does; each kind is a graph of its own on a GPU."""

    twice: bool  # the sampler takes two steps
    diffusion: bool  # the denoising loss at random timesteps runs beside


def train_distilled(
    plan: Plan,
    nets: Nets,
    samples: Iterator[Sample],
    weights: Weights,
    flow: FlowNetwork | None = None,
    square_px: int = constants.LPIPS_SQUARE_PX,
    perceptual: bool = True,
    sheet: Callable[[Nets], Tensor] | None = None,
) -> Nets:
    """Train one phase and return the averaged networks.

    samples yields averaged ones (`data.sample`); plan.batch clips make a step. LPIPS and the critic of features judge one square of
    square_px of each picture; perceptual=False leaves both critics and LPIPS out. flow measures the truth's motion for Eq. 7 (phase
    "temporal").
    """
    run, critics = _begin(plan, nets)
    device = torch.device(plan.device)
    vgg = load_perceptual(plan.device) if perceptual else None
    judges = None if vgg is None else Judges(vgg, load_dists(plan.device, vgg), critics)
    distilling = Distilling(run, nets, judges, weights, flow, square_px)
    step_of = Replayed(distilling.step, run.replays)
    heard = torch.zeros((), device=device)
    means = replace(nets, **run.ema)
    with supplied(samples, run) as supply:
        pool = SamplePool(supply, POOL_SAMPLES, SAMPLE_USES, device)
        for step in run.steps(None if sheet is None else lambda: sheet(means)):
            drawn = pool.draw(plan.batch)
            kind = Kind(twice=float(torch.rand(())) < TWICE, diffusion=step % 2 == 1 and not nets.gate_alone)
            heard.fill_(weights.critics * _ramp(run.done))
            run.note(**step_of(kind, *drawn, heard), made=float(pool.made))
    return means


def _begin(plan: Plan, nets: Nets) -> tuple[Run, Critics]:
    """Put everything on the device, let gradients reach what the phase trains, and open the run."""
    modules = nets.modules
    critics = Critics()
    for module in (*modules.values(), critics):
        module.to(plan.device, memory_format=torch.channels_last)
    nets.scheduler.alphas_cumprod = nets.scheduler.alphas_cumprod.to(plan.device)
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
    """Return the parameters that the phase trains, of the denoiser and of what stands before and behind it."""
    if nets.gate_alone:
        return [], list(nets.vae.gate.parameters())
    if nets.temporal:
        return nets.unet.temporal_parameters(), nets.vae.temporal_parameters()
    around = nets.vae.decoder_parameters() + nets.vae.fusion_parameters()
    around += list(nets.cleaner.parameters()) if nets.cleaner is not None else []
    return spatial_parameters(nets.unet, nets.encoder), around


class Judges(NamedTuple):
    """Who sees the pictures: LPIPS and DISTS, which share VGG16's weights, and the critics, who learn."""

    vgg: Perceptual
    dists: Dists
    critics: Critics


@dataclass
class Distilling:
    """One training step, on the device from end to end."""

    run: Run
    nets: Nets
    judges: Judges | None
    weights: Weights
    flow: FlowNetwork | None
    square_px: int

    def step(self, kind: Kind, gt: Tensor, lq: Tensor, averaging: Tensor, heard: Tensor) -> dict[str, Tensor]:
        """Learn from gt [N·T,3,S,S] and lq [N·T,3,S/4,S/4] in [-1,1], enlarged and averaged; heard [] is the critics' share now.

        Returns the log's figures.
        """
        frames = len(gt) // self.run.plan.batch
        canvas = averaged(enlarged(lq, gt.shape[-2:]), averaging).clamp(-1, 1)
        seen = self.nets.seen(lq, canvas)
        z_lq, x = self._pictures(seen, frames, kind.twice)
        loss, figures = self._against_truth(x, gt, frames)
        judged = None
        if self.judges is not None:
            judged = _Judged(self.judges, self.nets, x, gt, canvas, self.square_px)
            loss = loss + LPIPS_WEIGHT * judged.lpips + DISTS_WEIGHT * judged.dists
            figures |= {"lpips": judged.lpips.detach(), "dists": judged.dists.detach()}
        if judged is not None and self.weights.critics:
            loss, of_critics = _towards(x, loss, judged.deceit(), heard)
            figures |= of_critics
        if seen.requires_grad:
            of_canvas = (seen - gt).abs().mean()
            loss, figures["canvas"] = loss + CANVAS_WEIGHT * of_canvas, of_canvas.detach()
        if kind.diffusion:
            of_noise, figures["mse"] = self._diffusion(gt, z_lq.detach(), frames)
            loss = loss + DIFFUSION_WEIGHT * of_noise
        figures["skipped"] = self.run.update("generator", loss)
        if judged is not None and self.weights.critics:
            self.run.update("critics", judged.critics_loss())
        return figures

    def _pictures(self, seen: Tensor, frames: int, twice: bool) -> tuple[Tensor, Tensor]:
        """Return the LQ latents and the pictures x [N·T,3,S,S] that the sampler makes of them."""
        nets = self.nets
        with torch.set_grad_enabled(seen.requires_grad), nets.autocast():
            posterior, features = nets.vae.encode(seen)
        z_lq = posterior.sample().float() * nets.vae.config.scaling_factor
        z = nets.in_steps(z_lq, frames, second_timestep(z_lq.device) if twice else None)
        if not (seen.requires_grad or nets.gate_alone):
            # nobody reads their gradients, but torch 2.13 on CPUs crashes without (training/decoder.py)
            features = [f.detach().requires_grad_(True) for f in features]
        with nets.autocast():
            x = nets.vae.decode(z / nets.vae.config.scaling_factor, features, frames, 1.0, nets.temporal)
        return z_lq, x.float()

    def _against_truth(self, x: Tensor, gt: Tensor, frames: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what is asked of x without LPIPS and the critics, and its parts."""
        l1, flat = (x - gt).abs().mean(), flat_excess(x, gt)
        figures = {"l1": l1.detach(), "flat": flat.detach()}
        loss = l1 + self.weights.flat * flat
        if self.nets.temporal:
            of_sequence, parts = sequence_loss(x, gt, frames, self.flow)
            return loss + SEQUENCE_WEIGHT * of_sequence, figures | parts
        grid = grid_difference(x, gt, max(self.nets.vae.config.patch, 2))
        return loss + GRID_WEIGHT * grid, figures | {"grid": grid.detach()}

    def _diffusion(self, gt: Tensor, z_lq: Tensor, frames: int) -> tuple[Tensor, Tensor]:
        """Return the denoising loss at random timesteps for the first half of the clips, and the plain error."""
        nets, count = self.nets, max(len(gt) // frames // 2, 1) * frames
        with torch.no_grad(), nets.autocast():
            z_hq = nets.vae.encode(gt[:count])[0].sample().float() * nets.vae.config.scaling_factor
        return denoising_loss(
            nets.unet, nets.encoder, nets.scheduler, z_hq, z_lq[:count], frames, nets.temporal, nets.dtype
        )


class _Judged:
    """What VGG makes of pictures and truth, and what the critics say."""

    def __init__(self, judges: Judges, nets: Nets, x: Tensor, gt: Tensor, canvas: Tensor, square_px: int) -> None:
        self.critics, self.autocast = judges.critics, nets.autocast
        self.x, self.gt, self.canvas = x, gt, canvas
        fake, real = same_square(x, gt, square_px)
        with nets.autocast():
            with torch.no_grad():
                real_maps = judges.vgg.maps(real)
            fake_maps = judges.vgg.maps(fake)
            self.real_maps, self.fake_maps = ([unit_length(m) for m in maps] for maps in (real_maps, fake_maps))
            self.lpips = judges.vgg.distance(self.fake_maps, self.real_maps).mean()
            # not LPIPS' maps, which are pooled another way: the gradient there has a cosine of 0.05 to 0.3 with that of these
            of_fake, of_real = (judges.dists.features(x / 2 + 0.5) for x in (fake, real))
        self.dists = judges.dists.distance(of_fake, of_real).mean()

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


def _towards(x: Tensor, loss: Tensor, deceit: Tensor, share: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Return a loss whose gradient at the picture is loss's plus the critics', scaled to `share` [] of its length.

    So their say stays the same however sure of themselves they become. Second: the log's figures.
    """
    (wanted,) = torch.autograd.grad(loss, x, retain_graph=True)
    (liked,) = torch.autograd.grad(deceit, x)
    scale = share * wanted.norm() / liked.norm().clamp(min=1e-12)
    return (x * (wanted + scale * liked)).sum(), {"deceit": deceit.detach(), "scale": scale}
