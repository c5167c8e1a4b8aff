"""The train commands: open or begin a model folder, train one stage, write the averaged weights back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler
from torch import Tensor, nn

from mgld.canvas import from_bytes, to_u8
from mgld.flow import load_flow
from mgld.nets import Cleaner, StructureEncoder, VideoUNet, VideoVAE, loading
from mgld.nets.loading import CLEANER, KINDS, NETS
from mgld.pipeline import MGLDPipeline
from mgld.presets import TINY
from mgld.settings import Settings
from mgld.training import data, ranks, refusals
from mgld.training.autoencoder import reconstruction, train_autoencoder
from mgld.training.bank import count_bank, fill_bank, read_bank
from mgld.training.decoder import train_decoder
from mgld.training.denoiser import train_denoiser
from mgld.training.distil import Weights, train_distilled
from mgld.training.linear import fit_linear, transfer
from mgld.training.record import corpus_sha256, record_run
from mgld.training.run import Plan, first_step, reached, stream_seed
from mgld.training.sampled import Nets

SHARD = "9MB"  # every shipped file stays under 10 MB
SHEET_STILLS = 3
FITTED_STILLS = 96
SAMPLES_PER_STEP = 2**20  # numbers kept for each step; none takes nearly as many


@dataclass(frozen=True)
class Job:
    """One call of `train`: the model folder, the corpus, the run's plan and what samples look like.

    shapes, by network, are what a network has that is begun here, in place of the tiny preset's; one that stands already must have
    them. command is written into the model folder's table.
    """

    model: Path
    corpus: Path
    plan: Plan
    side_px: int
    workers: int
    perceptual: bool = True
    shapes: dict[str, dict[str, object]] = field(default_factory=dict)
    command: tuple[str, ...] = ()

    def net(self, name: str) -> nn.Module:
        """Open or begin a network of the model folder."""
        return open_net(name, self.model, self.shapes.get(name))

    def cleaner(self, begin: bool = False) -> Cleaner | None:
        """Open the model folder's cleaner, or begin one if wanted; None where there is none."""
        return self.net(CLEANER) if begin or _begun(self.model, CLEANER) else None

    def finish(self, **nets: nn.Module) -> None:
        """Write what was trained, and how, into the model folder."""
        for name, net in nets.items():
            save(net, name, self.model)
        steps, trained_s = reached(self.plan)
        if ranks.rank() == 0 and steps:
            record_run(self.model, self.corpus, list(self.command), self.plan, steps, trained_s)


def autoencoder(job: Job, decoder_only: bool, latent_channels: int | None, widths: tuple[int, ...]) -> None:
    """Stage 0, on stills without degradation.

    decoder_only=True keeps the latent space that later stages stand on; latent_channels and widths shape a model begun here.
    """
    recipe = data.Recipe(1, job.side_px, with_lq=False)
    batches = (from_bytes(hq).flatten(0, 1) for hq, _ in _samples(job, recipe, job.plan.batch))
    held_out, _ = _held_out(job, with_lq=False)
    shape = {"latent_channels": latent_channels, "channels": widths}
    begun = _begun(job.model, "vae")
    given = {name: value for name, value in shape.items() if value}
    vae = open_net("vae", job.model, job.shapes.get("vae", {}) | given)
    if not begun and vae.config.linear:
        fit_linear(vae, _many_squares(job.corpus, job.plan.seed))
    job.finish(vae=train_autoencoder(job.plan, vae, batches, held_out, job.perceptual, decoder_only))


def measure_autoencoder(model: Path, corpus: Path, side_px: int, pictures: int, device: str) -> dict[str, float]:
    """Return PSNR, LPIPS and DISTS of reconstructed held-out squares of side_px, and seconds per decoded frame."""
    recipe = data.Recipe(1, side_px, with_lq=False, split="held_out")
    hq, _ = next(data.batches(corpus, recipe, pictures, seed=7, workers=0))
    return reconstruction(open_net("vae", model), hq[:, 0], device)


def begin_from(old: Path, model: Path, corpus: Path, latent_channels: int | None, seed: int) -> None:
    """Begin a model folder, whose latents may have other channels, from a trained model of the same widths."""
    shape = {"latent_channels": latent_channels} if latent_channels else {}
    trained = tuple(open_net(name, old) for name in NETS)
    fresh = tuple(net(**TINY[name] | shape) for name, net in NETS.items())
    transfer(trained, fresh, _many_squares(corpus, seed))
    open_scheduler(model)
    for net, name in zip(fresh, NETS, strict=True):
        save(net, name, model)


def denoiser(job: Job, temporal: bool, frames: int) -> None:
    """Stage 1: phase one on stills (temporal=False), phase two on clips of `frames`."""
    recipe = data.Recipe(frames if temporal else 1, job.side_px)
    _need_autoencoder(job.model)
    nets = [job.net(name) for name in ("vae", "unet", "structure_encoder")]
    scheduler = open_scheduler(job.model)
    held_out = _held_out(job, with_lq=True)

    cleaner = job.cleaner()

    def sheet(unet: VideoUNet, encoder: StructureEncoder) -> Tensor:
        pipeline = MGLDPipeline(nets[0], unet, encoder, scheduler, cleaner)
        return _result_sheet(pipeline, *held_out)

    samples = _samples(job, recipe, 2 if temporal else 8)
    unet, encoder = train_denoiser(job.plan, *nets, scheduler, samples, temporal, sheet, cleaner)
    job.finish(unet=unet, **{} if temporal else {"structure_encoder": encoder})


def decoder(job: Job, phase: str, frames: int, bank_clips: int, settings: Settings, gan_weight: float) -> None:
    """Stage 2, one of its phases, on latents of our own guided sampler."""
    bank = job.plan.folder.parent / f"bank-{frames}"  # stills and clips are different banks
    pipeline = MGLDPipeline.from_pretrained(job.model, job.plan.device, job.plan.dtype)
    if ranks.rank() == 0:
        banked = count_bank(bank)  # what a filling that was broken off has already sampled
        pairs = data.batches(job.corpus, data.Recipe(frames, 256), 1, job.plan.seed + 1, banked, job.workers)
        fill_bank(bank, bank_clips, pipeline, settings, pairs, f"{corpus_sha256(job.corpus)}, seed {job.plan.seed}")
    ranks.wait()
    held_out = _held_out(job, with_lq=True)

    def sheet(vae: VideoVAE) -> Tensor:
        nets = (pipeline.unet.float(), pipeline.structure_encoder.float(), pipeline.scheduler, cleaner)
        return _result_sheet(MGLDPipeline(vae, *nets), *held_out)

    cleaner = job.cleaner()
    clips = read_bank(bank, stream_seed(job.plan), single_frames=phase != "temporal", cleaner=cleaner)
    vae, flow = open_net("vae", job.model), load_flow("dis", job.plan.device)
    vae = train_decoder(job.plan, vae, clips, job.side_px, phase, flow, job.perceptual, sheet, gan_weight)
    job.finish(vae=vae)


def distil(
    job: Job, phase: str, frames: int, weights: Weights, square_px: int, clean: bool = False, gate: bool = False
) -> None:
    """Few-step stage: "spatial" trains denoiser and decoder together, "temporal" the temporal layers of both on clips of `frames`.

    "gate" trains the decoder's gate alone. clean=True begins a cleaner to learn with "spatial"; gate=True, or that phase, begins
    a gate where the model has none.
    """
    temporal = phase == "temporal"
    recipe = data.Recipe(frames if temporal else 1, job.side_px, averaged=True)
    _need_autoencoder(job.model)
    vae, unet, encoder = (job.net(name) for name in ("vae", "unet", "structure_encoder"))
    vae = with_gate(vae) if phase == "gate" or (gate and not temporal) else vae
    cleaner = job.cleaner(begin=clean and phase == "spatial")
    nets = Nets(vae, unet, encoder, open_scheduler(job.model), phase, getattr(torch, job.plan.dtype), cleaner)
    held_out = _held_out(job, with_lq=True)

    def sheet(nets: Nets) -> Tensor:
        pipeline = MGLDPipeline(nets.vae, nets.unet, nets.encoder, nets.scheduler, nets.cleaner)
        return _result_sheet(pipeline, *held_out, steps=2)

    samples = _samples(job, recipe, 2 if temporal else 8)
    on_gpu = job.plan.device.startswith("cuda")  # which would wait for DIS, a CPU's
    flow = load_flow("spynet" if on_gpu else "dis", job.plan.device) if temporal else None
    trained = train_distilled(job.plan, nets, samples, weights, flow, square_px, job.perceptual, sheet)
    job.finish(**_moved(trained))


def _moved(trained: Nets) -> dict[str, nn.Module]:
    """Return the networks that the phase had a say in, by name."""
    made = {"vae": trained.vae}
    if not trained.gate_alone:
        made["unet"] = trained.unet
    if trained.phase == "spatial":
        made |= {"structure_encoder": trained.encoder} | ({CLEANER: trained.cleaner} if trained.cleaner else {})
    return made


def with_gate(vae: VideoVAE) -> VideoVAE:
    """Return the autoencoder with a fresh gate for its canvas, or as it is where it has one."""
    if vae.config.canvas_gate:
        return vae
    gated = VideoVAE.from_config(vae.config, canvas_gate=True)
    gated.load_state_dict(vae.state_dict() | {k: v for k, v in gated.state_dict().items() if k.startswith("gate.")})
    return gated


def open_net(name: str, model: Path, shape: dict[str, object] | None = None) -> nn.Module:
    """Load a network of the model folder in float32, or make a fresh one of the tiny preset (with `shape` in place of its numbers).

    A fresh denoiser reads as many latent channels as the folder's autoencoder writes. Raises UserError if the folder's network has
    another shape than the wanted one, or weights that do not fit it.
    """
    if _begun(model, name):
        _check_shape(name, model, shape or {})
        return loading.open_net(model, name, torch.float32)
    if name in NETS and name != "vae" and _begun(model, "vae"):
        channels = VideoVAE.load_config(model, subfolder="vae")["latent_channels"]
        shape = {"latent_channels": channels} | (shape or {})
    return KINDS[name](**TINY[name] | (shape or {}))


def _check_shape(name: str, model: Path, shape: dict[str, object]) -> None:
    stored = KINDS[name].load_config(model, subfolder=name)
    for key, wanted in shape.items():
        if _plain(stored.get(key)) != _plain(wanted):
            raise refusals.shape_differs(model, name, key, stored.get(key), wanted)


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _need_autoencoder(model: Path) -> None:
    """Raise UserError where there is none: a fresh one is noise, and what learns its latents learns nothing."""
    if not _begun(model, "vae"):
        raise refusals.autoencoder_missing(model)


def _begun(model: Path, name: str) -> bool:
    return (model / name / "config.json").exists()


def open_scheduler(model: Path) -> DDPMScheduler:
    """Load the model folder's noise schedule, or write the tiny preset's there first."""
    if ranks.rank() == 0 and not (model / "scheduler" / "scheduler_config.json").exists():
        DDPMScheduler(**TINY["scheduler"]).save_pretrained(model / "scheduler")
    ranks.wait()
    return DDPMScheduler.from_pretrained(model, subfolder="scheduler")


def save(net: nn.Module, name: str, model: Path) -> None:
    """Write a network into the model folder: fp16 safetensors in small shards; one process writes for all.

    What stood there goes only once the new files are whole.
    """
    if ranks.rank():
        return
    fresh, stands, old = (model / f"{name}{suffix}" for suffix in (".new", "", ".old"))
    for left in (fresh, old):  # by a process that was killed here
        shutil.rmtree(left, ignore_errors=True)
    net.register_to_config(_name_or_path=model.name)  # diffusers would write where it lay on this machine
    net.half().save_pretrained(fresh, max_shard_size=SHARD)
    if stands.exists():
        stands.rename(old)
    fresh.rename(stands)
    shutil.rmtree(old, ignore_errors=True)


def _samples(job: Job, recipe: data.Recipe, per_batch: int) -> Iterator[data.Sample]:
    """Yield the stage's own samples as bytes; a resumed run goes on to some that it has not seen."""
    start = first_step(job.plan) * SAMPLES_PER_STEP
    return data.byte_batches(job.corpus, recipe, per_batch, job.plan.seed, start, job.workers)


def _many_squares(corpus: Path, seed: int) -> Tensor:
    """Return clean training squares x [N,3,256,256] in [-1,1], enough for closed forms."""
    hq, _ = next(data.batches(corpus, data.Recipe(1, 256, with_lq=False), FITTED_STILLS, seed, workers=0))
    return hq[:, 0]


def _held_out(job: Job, with_lq: bool) -> tuple[Tensor, Tensor]:
    """Return a few fixed pairs of the held-out split, [N,3,256,256] and [N,3,64,64]."""
    recipe = data.Recipe(1, 256, with_lq, split="held_out")
    hq, lq = next(data.batches(job.corpus, recipe, SHEET_STILLS, seed=7, workers=0))
    return hq[:, 0], lq[:, 0] if with_lq else lq


@torch.no_grad()
def _result_sheet(pipeline: MGLDPipeline, hq: Tensor, lq: Tensor, steps: int = 10) -> Tensor:
    """Draw bicubic over result over truth for a few stills."""
    u8 = to_u8(lq)
    results = (
        torch.from_numpy(pipeline(u8, Settings(method="per_frame", steps=steps))).permute(0, 3, 1, 2).float() / 255
    )
    enlarged = F.interpolate(lq, size=hq.shape[-2:], mode="bicubic", align_corners=False).add(1).div(2)
    rows = (enlarged, results, hq.add(1).div(2))
    return torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)
