"""Stage 2: the decoder. First its backbone meets sampled latents, then CFW on single frames (the per-frame recipe), then, all of
that frozen, the temporal convolutions on clips. "joint" trains backbone and CFW on together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mgld import constants
from mgld.flow import FlowNetwork, estimate_motion
from mgld.metrics.vgg import load_perceptual
from mgld.nets import VideoVAE
from mgld.settings import exhaustive
from mgld.training.discriminator import PatchDiscriminator, discriminator_loss, generator_loss
from mgld.training.losses import frame_difference, grid_difference, same_square, structure_weighted_consistency
from mgld.training.run import Plan, Run, stream_seed

# Weights of Eq. 8.
DIFFERENCE_WEIGHT = 0.5
CONSISTENCY_WEIGHT = 0.5
LPIPS_WEIGHT = 1.0
# Ours.
GRID_WEIGHT = 0.5  # where pixels are shuffled
BACKBONE_PHASES = ("backbone", "joint")  # which move what decodes single frames
GAN_FROM = 0.3  # share of the run after which the GAN joins


@dataclass(frozen=True)
class BankedClip:
    """One training clip: ground truth and LQ canvas [T,3,S,S] in [-1,1], and the latent that the sampler made [T,c,s,s]."""

    gt: Tensor
    lq: Tensor
    z: Tensor


def crop_clip(clip: BankedClip, side_px: int, factor: int, generator: torch.Generator) -> BankedClip:
    """Cut the same random square, aligned to the latent grid, out of all three tensors."""
    cells = side_px // factor
    y, x = (
        int(torch.randint(0, side - cells + 1, (1,), generator=generator))
        for side in (clip.z.shape[-2], clip.z.shape[-1])
    )
    rows, columns = slice(y * factor, (y + cells) * factor), slice(x * factor, (x + cells) * factor)
    return BankedClip(
        clip.gt[..., rows, columns], clip.lq[..., rows, columns], clip.z[..., y : y + cells, x : x + cells]
    )


def train_decoder(
    plan: Plan,
    vae: VideoVAE,
    clips: Iterator[BankedClip],
    side_px: int,
    phase: str,
    flow: FlowNetwork | None = None,
    perceptual: bool = True,
    sheet: Callable[[VideoVAE], Tensor] | None = None,
    gan_weight: float = constants.GAN_WEIGHT,
) -> VideoVAE:
    """Train one phase and return the averaged autoencoder.

    "frame" trains CFW and "temporal" the temporal convolutions on a frozen decoder, as the paper does. "backbone" comes before:
    a small autoencoder's decoder has only seen latents of sharp pictures, and learns here to decode those that a small denoiser
    makes. "joint" trains both that backbone and CFW. clips yields the sampler's latents with their frames; plan.batch of them make
    one step. flow measures the ground truth's motion for Eq. 7.
    """
    device, dtype = torch.device(plan.device), getattr(torch, plan.dtype)
    vae = vae.requires_grad_(False).to(device, memory_format=torch.channels_last)
    trained, temporal = TRAINED[phase](vae), phase == "temporal"
    for parameter in trained:
        parameter.requires_grad_(True)
    critic = PatchDiscriminator().to(device, memory_format=torch.channels_last)
    optimizers = {
        "decoder": torch.optim.AdamW(trained, plan.learning_rate, betas=(0.5, 0.9), weight_decay=0.0, fused=True),
        "critic": torch.optim.AdamW(
            critic.parameters(), plan.learning_rate, betas=(0.5, 0.9), weight_decay=0.0, fused=True
        ),
    }
    run = Run(plan, {"vae": vae, "critic": critic}, optimizers, averaged={"vae": vae})
    lpips = load_perceptual(plan.device) if perceptual else None
    generator = torch.Generator().manual_seed(stream_seed(plan))
    for _ in run.steps(None if sheet is None else lambda: sheet(run.ema["vae"])):
        batch = [crop_clip(run.take(clips), side_px, vae.factor, generator) for _ in range(plan.batch)]
        frames = len(batch[0].gt)
        gt, lq, z = (torch.cat([getattr(c, k) for c in batch]).to(device) for k in ("gt", "lq", "z"))
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            features = None if phase == "backbone" else _features(vae, lq)
            fidelity = 0.0 if features is None else 1.0
            x = vae.decode(z / vae.config.scaling_factor, features, frames, fidelity, temporal)
            distance = lpips(*same_square(x, gt)).mean() if lpips is not None else x.new_zeros(())
            judged = critic(x) if gan_weight and run.done > GAN_FROM else None
        x = x.float()
        l1 = (x - gt).abs().mean()
        loss = l1 + LPIPS_WEIGHT * distance.float()
        if temporal:
            of_sequence, figures = sequence_loss(x, gt, frames, flow)
            loss = loss + of_sequence
            run.note(**figures)
        if phase in BACKBONE_PHASES and vae.config.patch > 1:
            grid = grid_difference(x, gt, vae.config.patch)
            loss = loss + GRID_WEIGHT * grid
            run.note(grid=grid.detach())
        if judged is not None:
            loss = loss + gan_weight * generator_loss(judged.float())
        run.note(skipped=run.update("decoder", loss))
        if judged is not None:
            with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
                real, fake = critic(gt), critic(x.detach())
            # Not noted: `skipped` is the share of what the stage trains.
            run.update("critic", discriminator_loss(real.float(), fake.float()))
        run.note(l1=l1.detach(), lpips=distance.detach())
    return run.ema["vae"]


TRAINED: dict[str, Callable[[VideoVAE], list[nn.Parameter]]] = exhaustive(
    {
        "backbone": VideoVAE.decoder_parameters,
        "frame": VideoVAE.fusion_parameters,
        "joint": lambda vae: vae.decoder_parameters() + vae.fusion_parameters(),
        "temporal": VideoVAE.temporal_parameters,
    },
    constants.DECODER_PHASES,
)


def _features(vae: VideoVAE, lq: Tensor) -> list[Tensor]:
    """Return what the frozen encoder sees of the LQ frames.

    They need gradients although nobody reads them: torch 2.13 on CPUs crashes in the channels-last backward of a GroupNorm whose
    weights are trained and whose input is not.
    """
    return [f.detach().requires_grad_(True) for f in vae.encode(lq)[1]]


def sequence_loss(x: Tensor, gt: Tensor, frames: int, flow: FlowNetwork) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the weighted sum of Eq. 6 and Eq. 7, averaged over the clips of a batch, and both; x, gt [N·frames,3,H,W]."""
    difference = consistency = x.new_zeros(())
    clips = list(zip(x.split(frames), gt.split(frames), strict=True))
    for one, truth in clips:
        motion = estimate_motion((truth + 1) / 2, flow, truth.shape[-2:])
        difference = difference + frame_difference(one, truth) / len(clips)
        consistency = consistency + structure_weighted_consistency(one, truth, motion) / len(clips)
    figures = {"difference": difference.detach(), "consistency": consistency.detach()}
    return DIFFERENCE_WEIGHT * difference + CONSISTENCY_WEIGHT * consistency, figures
