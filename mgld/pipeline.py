"""MGLDPipeline: load a model folder, turn LQ frames into HQ frames, say what happens on the way.

Reading order: `run` → `_diffused` → `_sample` → `_decode`. Everything is a generator; closing it stops within one denoising step.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler, DiffusionPipeline, ModelMixin
from safetensors import SafetensorError
from torch import Tensor

from mgld import errors, memory
from mgld.canvas import Canvas, bicubic, plan_canvas
from mgld.clock import Clock
from mgld.colour import adain, wavelet
from mgld.device import best_dtype, device_of
from mgld.events import Event, FramesDone, Preview, Progress, Result
from mgld.flow import FlowNetwork, Motion, estimate_motion, load_flow
from mgld.nets import StructureEncoder, VideoUNet, VideoVAE
from mgld.sampling import guidance, schedule, segments, tiles
from mgld.sampling.noise import FrameNoise
from mgld.sampling.record import GuidanceRecord
from mgld.sampling.sampler import sample
from mgld.settings import VAE_TILE, Settings
from mgld.video import Frame
from mgld.weights.presets import folder_of

NETS = {"vae": VideoVAE, "unet": VideoUNet, "structure_encoder": StructureEncoder}
COLOUR_FIXES = {"adain": adain, "wavelet": wavelet, "none": lambda x, reference: x}


@dataclass(frozen=True)
class Recipe:
    """Which of the paper's parts a method uses (Table 3): motion-guided sampling and the temporal decoder."""

    motion_guided: bool
    temporal_decoder: bool


RECIPES = {
    "per_frame": Recipe(False, False),
    "per_frame+mds": Recipe(True, False),
    "per_frame+tsd": Recipe(False, True),
    "mgld": Recipe(True, True),
}


@dataclass(frozen=True)
class Watch:
    """What a listener wants to see beside the results: the estimate every so many seconds, and what guidance does."""

    preview_every_s: float | None = None
    guidance: bool = False


class MGLDPipeline(DiffusionPipeline):
    """Motion-guided latent diffusion for 4× video super-resolution."""

    def __init__(
        self, vae: VideoVAE, unet: VideoUNet, structure_encoder: StructureEncoder, scheduler: DDPMScheduler
    ) -> None:
        super().__init__()
        self.register_modules(vae=vae, unet=unet, structure_encoder=structure_encoder, scheduler=scheduler)
        self._flows: dict[str, FlowNetwork] = {}

    @classmethod
    def from_pretrained(cls, model: str | Path = "tiny", device: str = "auto", dtype: str = "auto") -> MGLDPipeline:
        """Open a preset, a folder or a Hub repository; UserError says how to get one that is absent."""
        folder, device = folder_of(str(model)), device_of(device)
        kind = getattr(torch, best_dtype(device) if dtype == "auto" else dtype)
        layout = {"device": torch.device(device), "memory_format": torch.channels_last}
        nets = {name: open_net(folder, name, kind).to(**layout) for name in NETS}
        try:
            scheduler = DDPMScheduler.from_pretrained(folder, subfolder="scheduler")
        except (OSError, ValueError) as error:
            raise errors.model_broken(model, "scheduler", "is missing or damaged") from error
        return cls(scheduler=scheduler, **nets)

    def __call__(self, frames_u8: np.ndarray, settings: Settings | None = None) -> np.ndarray:
        """Upscale u8 [T,h,w,3] to u8 [T,4h,4w,3] in one call."""
        clip = (Frame(rgb, float(i)) for i, rgb in enumerate(frames_u8))
        events = self.run(clip, settings or Settings(), len(frames_u8))
        return np.concatenate([e.frames_u8 for e in events if isinstance(e, FramesDone)])

    @torch.no_grad()
    def run(
        self,
        frames: Iterable[Frame],
        settings: Settings,
        total: int | None = None,
        preview_every_s: float | None = None,
        kept: dict[int, Tensor] | None = None,
        watch_guidance: bool = False,
    ) -> Iterator[Event]:
        """Yield Progress, Preview, FramesDone (in order, each frame once) and at last Result.

        frames may be any iterator; only a segment of it is held. total, when known, makes times left possible.
        kept collects the sampled latents by their segment's first frame, and spares the sampling of those already in it:
        hand the same dict to a run that differs only in decoder, fidelity or colour.
        watch_guidance adds a Guided event for each segment that is sampled under guidance.
        """
        settings = settings.checked()
        clock = Clock(total)
        if settings.method == "bicubic":
            yield from _bicubic(frames, clock)
        else:
            watch = Watch(preview_every_s, watch_guidance)
            try:
                yield from self._diffused(frames, settings, clock, watch, kept)
            except torch.OutOfMemoryError as error:
                torch.cuda.empty_cache()
                raise errors.memory_short() from error
        yield Result(self._report(settings, clock))

    @torch.no_grad()
    def latents(self, x_lq: Tensor, settings: Settings) -> Tensor:
        """Return the sampled latents [T,c,h,w] (scaled) of one segment x_lq [T,3,H,W] in [-1,1]; what stage 2 trains on."""
        sampling = self._sampled(x_lq, 0, RECIPES[settings.method], settings, Clock(None), Watch())
        while True:
            try:
                next(sampling)
            except StopIteration as end:
                return end.value[0]

    # 1 segment → 2 condition → 3 motion → 4 sample → 5 decode → 6 colour → 7 hand over what no later segment will touch

    def _diffused(
        self,
        frames: Iterable[Frame],
        settings: Settings,
        clock: Clock,
        watch: Watch,
        kept: dict[int, Tensor] | None,
    ) -> Iterator[Event]:
        recipe = RECIPES[settings.method]
        recipe = replace(recipe, temporal_decoder=recipe.temporal_decoder and settings.decoder == "temporal")
        alone = not (recipe.motion_guided or recipe.temporal_decoder) or settings.segments == "disjoint"
        overlap = 0 if alone else min(settings.overlap, settings.segment - 1)
        clock.plan(settings, overlap)
        first, latent_tail, pixel_tail, canvas = 0, None, None, None
        for clip, is_last in segments.cover(iter(frames), settings.segment, overlap):
            clock.mark("read")
            canvas = canvas or self.canvas_for(*clip[0].rgb_u8.shape[:2])
            x_lq = canvas.enlarge(np.stack([f.rgb_u8 for f in clip])).to(self.device)  # [T,3,H,W]
            z, features = None if kept is None else kept.get(first), None
            if z is None:
                z, features = yield from self._sampled(x_lq, first, recipe, settings, clock, watch)
            if kept is not None:
                kept[first] = z
            z = segments.crossfade_head(latent_tail, z)
            yield clock.progress(first, 1, 1, "decode")
            x = self._decode(z, x_lq, features, recipe, settings)
            clock.mark("decode")
            x = segments.crossfade_head(pixel_tail, COLOUR_FIXES[settings.colour](x, x_lq))
            ready = len(clip) if is_last else len(clip) - overlap
            latent_tail, pixel_tail = (z[ready:], x[ready:]) if ready < len(clip) else (None, None)
            done = canvas.finish(x[:ready])
            clock.mark("finish")
            yield FramesDone(first, done, tuple(f.time_s for f in clip[:ready]), segment_border=first > 0)
            clock.mark("handover")  # what the caller did with them: writing, showing
            first += ready
            clock.frames_done = first
        if first == 0:
            raise errors.no_frames()

    def _sampled(
        self,
        x_lq: Tensor,
        first: int,
        recipe: Recipe,
        settings: Settings,
        clock: Clock,
        watch: Watch,
    ) -> Generator[Event, None, tuple[Tensor, list[Tensor] | None]]:
        """Condition, measure motion and denoise one segment x_lq [T,3,H,W]; yield progress, return z [T,c,h,w] and features."""
        noise = FrameNoise(settings.seed, first, len(x_lq), shared_per_segment=settings.segments == "disjoint")
        yield clock.progress(first, 0, 1, "condition")
        z_lq, features = self._condition(x_lq, noise)
        clock.mark("condition")
        yield clock.progress(first, 0, 1, "motion")
        motion = self._motion(x_lq, settings) if recipe.motion_guided and settings.guidance else None
        clock.mark("motion")
        return (yield from self._sample(z_lq, motion, noise, recipe, settings, clock, first, watch)), features

    def _sample(
        self,
        z_lq: Tensor,
        motion: Motion | None,
        noise: FrameNoise,
        recipe: Recipe,
        settings: Settings,
        clock: Clock,
        first: int,
        watch: Watch,
    ) -> Generator[Event, None, Tensor]:
        """Denoise one segment from its noised LQ latent (spec §4); yield progress, return z [T,c,h,w]."""
        scheduler = schedule.make_scheduler(self.scheduler.config, settings.sampler, settings.steps)
        frames, tile = len(z_lq), self.unet.config.sample_size
        z_start = schedule.initial_latent(z_lq, self.scheduler, noise.draw(z_lq.shape[1:]).to(z_lq.device))

        def denoise(z: Tensor, t: Tensor) -> Tensor:
            def one_tile(z_tile: Tensor, y: int, x: int) -> Tensor:
                lq = z_lq[..., y : y + z_tile.shape[-2], x : x + z_tile.shape[-1]]
                structure = self.structure_encoder(self._cast(lq), t)
                return self.unet(self._cast(z_tile), t, structure, frames, temporal=recipe.motion_guided).float()

            return tiles.tiled(one_tile, z, tile, tile // 2)

        record = GuidanceRecord(motion) if watch.guidance and motion is not None else None

        def guide(z: Tensor, state: guidance.StepState) -> Tensor:
            moved = guidance.guidance_step(z, motion, state, settings.guidance, settings.guidance_mode)
            if record is not None:
                record.add(z, moved, state)
            return moved

        shown = time.monotonic()
        for step in sample(denoise, scheduler, z_start, noise, guide if motion is not None else None):
            clock.mark("sample")
            yield clock.progress(first, step.index + 1, step.total)
            if watch.preview_every_s is not None and time.monotonic() - shown > watch.preview_every_s:
                yield self._preview(step.z0, first)
                shown = time.monotonic()
        if record is not None:
            yield record.event(first)
        return step.z

    def _condition(self, x_lq: Tensor, noise: FrameNoise) -> tuple[Tensor, list[Tensor] | None]:
        """Return the LQ latent [T,c,h,w], float32, scaled and sampled, as published, and the features for CFW.

        Those of frames of several tiles would fill the memory: None, and each tile's are computed again when it is decoded.
        """
        parts, features = [], None
        for y, x, tile in tiles.image_tiles(x_lq, *VAE_TILE):
            posterior, features = self.vae.encode(self._cast(tile))
            parts.append((y // self.vae.factor, x // self.vae.factor, (posterior.mean.float(), posterior.std.float())))
        h, w = x_lq.shape[-2] // self.vae.factor, x_lq.shape[-1] // self.vae.factor
        mean, std = (tiles.blend([(y, x, p[i]) for y, x, p in parts], (h, w)) for i in (0, 1))
        z_lq = (mean + std * noise.draw(mean.shape[1:]).to(mean.device)) * self.vae.config.scaling_factor
        return z_lq, features if len(parts) == 1 else None

    def _motion(self, x_lq: Tensor, settings: Settings) -> Motion:
        """Estimate flow on the LQ frames at about their own size, on the latent's grid (spec §5.1)."""
        if settings.flow not in self._flows:
            self._flows[settings.flow] = load_flow(settings.flow, self.device)
        h, w = x_lq.shape[-2:]
        rgb = F.interpolate((x_lq + 1) / 2, size=(h // 4, w // 4), mode="bicubic", align_corners=False).clamp(0, 1)
        return estimate_motion(rgb, self._flows[settings.flow], (h // self.vae.factor, w // self.vae.factor))

    def _decode(
        self, z: Tensor, x_lq: Tensor, known: list[Tensor] | None, recipe: Recipe, settings: Settings
    ) -> Tensor:
        """Decode z with the LQ frames' features (known, or computed here), tile by tile; float32 [T,3,H,W]."""
        factor, z = self.vae.factor, z / self.vae.config.scaling_factor
        parts = []
        for y, x, tile in tiles.image_tiles(x_lq, *VAE_TILE):
            h, w = tile.shape[-2] // factor, tile.shape[-1] // factor
            z_tile = z[..., y // factor : y // factor + h, x // factor : x // factor + w]
            features = (known or self.vae.encode(self._cast(tile))[1]) if settings.cfw else None
            decoded = self.vae.decode(
                self._cast(z_tile), features, len(z), settings.cfw, temporal=recipe.temporal_decoder
            )
            parts.append((y, x, decoded.float()))
        return tiles.blend(parts, tuple(x_lq.shape[-2:]))

    def _preview(self, z0: Tensor, first: int) -> Preview:
        middle = len(z0) // 2
        z = self._cast(z0[middle : middle + 1] / self.vae.config.scaling_factor)
        x = self.vae.decode(z, None, 1, fidelity=0.0, temporal=False).float()
        u8 = x[0].clamp(-1, 1).add(1).mul(127.5).round().byte().permute(1, 2, 0).cpu().numpy()
        return Preview(first + middle, u8)

    def _cast(self, x: Tensor) -> Tensor:
        return x.to(self.vae.dtype).contiguous(memory_format=torch.channels_last)

    def canvas_for(self, height: int, width: int) -> Canvas:
        """Return the sizes at which a clip of height × width pixels is worked on."""
        return plan_canvas(height, width, self.unet.config.smallest_sample * self.vae.factor)

    def _report(self, settings: Settings, clock: Clock) -> dict:
        on_gpu = self.device.type == "cuda"
        return {
            "settings": asdict(settings),
            "frames": clock.frames_done,
            "device": str(self.device),
            "dtype": str(self.vae.dtype).removeprefix("torch."),
            "seconds": {stage: round(s, 3) for stage, s in clock.stages.items()},
            "peak_memory_bytes": torch.cuda.max_memory_allocated(self.device) if on_gpu else memory.peak_bytes(),
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
        }


def _bicubic(frames: Iterable[Frame], clock: Clock) -> Iterator[Event]:
    for i, frame in enumerate(frames):
        yield FramesDone(i, bicubic(frame.rgb_u8[None]), (frame.time_s,), segment_border=False)
        clock.mark("bicubic")
        clock.frames_done = i + 1
        yield Progress("bicubic", i + 1, clock.total_frames, None)
    if clock.frames_done == 0:
        raise errors.no_frames()


def open_net(folder: Path | str, name: str, kind: torch.dtype) -> ModelMixin:
    """Load one network of a model folder, frozen; raise UserError if its weights are not exactly what it needs, or not finite."""
    try:
        net, told = NETS[name].from_pretrained(
            folder,
            subfolder=name,
            torch_dtype=kind,
            low_cpu_mem_usage=False,
            use_safetensors=True,  # else an absent file would be looked for as a pickle, which can run code
            output_loading_info=True,
        )
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise errors.model_broken(
            folder, name, "is missing, damaged, out of reach, or made for another network"
        ) from error
    missing, unknown = told["missing_keys"], told["unexpected_keys"]
    if missing or unknown:
        counts = f"lacks {len(missing)} tensors and has {len(unknown)} unknown ones, e.g. {[*missing, *unknown][0]}"
        raise errors.model_broken(folder, name, counts)
    if not all(torch.isfinite(p).all() for p in net.parameters()):
        raise errors.model_broken(folder, name, "holds numbers that are not finite")
    return net.requires_grad_(False)
