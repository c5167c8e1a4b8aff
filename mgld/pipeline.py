"""MGLDPipeline: load a model folder, turn LQ frames into HQ frames, say what happens on the way.

Reading order: `run` → `_diffused`, whose lines are the boxes of the paper's figure. Everything is a generator; closing it stops
within one denoising step.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler, DiffusionPipeline
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import Tensor

from mgld import errors, memory
from mgld.canvas import Canvas, bicubic, from_u8, plan_canvas, to_u8
from mgld.clock import Clock
from mgld.colour import adain, keep_flat, wavelet
from mgld.device import best_dtype, device_of
from mgld.events import Event, FramesDone, Note, Outcome, Preview, Progress, Result, Sampled, end_of
from mgld.flow import FlowNetwork, Motion, estimate_motion, load_flow
from mgld.kept import NOTHING_KEPT, KeptRun
from mgld.methods import METHODS, PEERS, decodes_together, holds_repeats, is_guided, overlap_of
from mgld.nets import Cleaner, StructureEncoder, VideoUNet, VideoVAE
from mgld.nets.cleaner import cleaned
from mgld.nets.deepcache import DeepCache
from mgld.nets.loading import CLEANER, FIRST_STAGE, NETS, open_net
from mgld.nets.replay import Replay
from mgld.nets.winograd import quickened
from mgld.presets import local_folder, name_of
from mgld.sampling import guidance, schedule, segments, tiles
from mgld.sampling.noise import noise_of
from mgld.sampling.record import GuidanceRecord
from mgld.sampling.repeats import Repeats
from mgld.sampling.sampler import Denoise, Guide, sample
from mgld.segment import (
    NOTHING_WATCHED,
    Condition,
    Piece,
    SegmentRun,
    TileSides,
    Watch,
    alone_tile,
    cut,
    parts_of,
    with_room,
)
from mgld.settings import COLOURS, CUDA_GRAPHS, FEATURES_BYTES, SCALE, VAE_TILE, Settings, exhaustive
from mgld.video import Frame

ENLARGERS = exhaustive({"bicubic": bicubic}, PEERS)  # u8 [T,h,w,3] -> u8 [T,4h,4w,3], without networks
COLOUR_FIXES = exhaustive({"adain": adain, "wavelet": wavelet, "none": lambda x, reference: x}, COLOURS)
STABLESR = "stablesr"  # a model folder inside another one


class MGLDPipeline(DiffusionPipeline):
    """Motion-guided latent diffusion for 4× video super-resolution."""

    _optional_components = (CLEANER,)

    def __init__(
        self,
        vae: VideoVAE,
        unet: VideoUNet,
        structure_encoder: StructureEncoder,
        scheduler: DDPMScheduler,
        cleaner: Cleaner | None = None,
    ) -> None:
        super().__init__()
        self.register_modules(
            vae=vae, unet=unet, structure_encoder=structure_encoder, scheduler=scheduler, cleaner=cleaner
        )
        self._flows: dict[tuple[str, str], FlowNetwork] = {}
        self._weights = ""  # of networks that were handed in
        self._first_stage: Callable[[], VideoVAE] | None = None
        self._stablesr: Callable[[], MGLDPipeline] | None = None
        self._predicted = Replay(self._predict, (structure_encoder, unet), CUDA_GRAPHS)

    @classmethod
    def from_pretrained(cls, model: str | Path = "tiny", device: str = "auto", dtype: str = "auto") -> MGLDPipeline:
        """Open a preset, a folder or a Hub repository; UserError says how to get one that is absent.

        A folder that holds StableSR's own networks (STABLESR, as `convert sd21` writes it) uses them for per_frame: they differ
        from MGLD's with the temporal parts off (spec §10). The report says which weights worked.
        """
        folder, device = local_folder(str(model)), device_of(device)
        kind = getattr(torch, best_dtype(device) if dtype == "auto" else dtype)
        layout = {"device": torch.device(device), "memory_format": torch.channels_last}
        names = [*NETS, *((CLEANER,) if (folder / CLEANER).is_dir() else ())]
        nets = {name: open_net(folder, name, kind).requires_grad_(False).to(**layout) for name in names}
        try:
            scheduler = DDPMScheduler.from_pretrained(folder, subfolder="scheduler")
        except (OSError, ValueError) as error:
            raise errors.model_broken(model, "scheduler", "is missing or damaged") from error
        if device == "cpu" and kind == torch.float32:
            nets = {name: quickened(net) for name, net in nets.items()}
        pipeline = cls(scheduler=scheduler, **nets)
        pipeline._weights = name_of(model)
        if (folder / FIRST_STAGE).is_dir():
            pipeline._first_stage = cache(
                lambda: open_net(folder, FIRST_STAGE, kind).requires_grad_(False).to(**layout)
            )
        if (folder / STABLESR).is_dir():
            pipeline._stablesr = cache(partial(cls.from_pretrained, folder / STABLESR, device, dtype))
        return pipeline

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
        watch: Watch = NOTHING_WATCHED,
        known: Mapping[int, np.ndarray] | None = None,
        kept: KeptRun = NOTHING_KEPT,
    ) -> Iterator[Event]:
        """Yield Progress, Preview, Sampled, FramesDone (in order, each frame once) and at last Result.

        frames may be any iterator; only a segment of it is held. total, when known, makes times left possible.
        known holds latents f32 [T,c,h,w] by their segment's first frame, as Sampled events of a run with equal `sampled_as` told
        them; these segments are not sampled again. watch asks for Previews, and for a Guided event of each segment that is guided.
        Segments in kept are not made again: after Resumed they are handed over with what was told of them.
        """
        settings, notes = settings.checked(), []
        clock = Clock(total)
        engine = self.engine_for(settings)
        if engine is not self:
            yield from engine.run(frames, settings, total, watch, known, kept)
            return
        if settings.method in PEERS:
            yield from _enlarged(frames, settings.method, clock)
        else:
            try:
                work = partial(
                    self._diffused, settings=settings, clock=clock, watch=watch, known=known or {}, kept=kept
                )
                for event in _each_once(frames, work, clock) if holds_repeats(settings) else work(frames):
                    notes += [event.text] if isinstance(event, Note) else []
                    yield event
            except (RuntimeError, MemoryError) as error:
                if not memory.is_short(error):
                    raise
                if self.device.type == "cuda":
                    torch.cuda.empty_cache()
                raise errors.memory_short() from error
        yield Result(self.report(settings, clock) | {"notes": notes})

    def engine_for(self, settings: Settings) -> MGLDPipeline:
        """Return the pipeline whose networks make this run: per_frame's are StableSR's own where the folder has them."""
        return self._stablesr() if settings.method == "per_frame" and self._stablesr is not None else self

    @torch.no_grad()
    def latents(self, x_seen: Tensor, settings: Settings) -> Tensor:
        """Return the sampled latents [T,c,h,w] (scaled) of one segment x_seen [T,3,H,W] in [-1,1]; what stage 2 trains on."""
        count, size_hw = len(x_seen), tuple(x_seen.shape[-2:])
        segment = SegmentRun(
            settings, Clock(None), NOTHING_WATCHED, Canvas(size_hw, size_hw, size_hw), self.tile_sides(settings), 0,
            (0.0,) * count, True, True, x_seen, x_seen, noise_of(settings, 0, count),
        )  # fmt: skip
        return end_of(self._latents(segment))[1]

    def _diffused(
        self,
        frames: Iterable[Frame],
        settings: Settings,
        clock: Clock,
        watch: Watch,
        known: Mapping[int, np.ndarray],
        kept: KeptRun,
    ) -> Iterator[Event]:
        latent_seam, pixel_seam = segments.Seam(), segments.Seam()
        clock.plan(settings.segment - overlap_of(settings))
        sides = self.tile_sides(settings)
        if kept.count:
            yield kept.resumed(settings, clock.total_frames)
        yield from kept.fresh_notes()
        for piece in cut(frames, settings):
            clock.mark("read")
            segment = self.segment_of(piece, settings, clock, watch, sides, known.get(piece.first))
            if (found := kept.find(segment.first)) is not None:
                yield from found.told
                latent_seam.tail, pixel_seam.tail = found.z_tail, found.x_tail
                yield from _hand_over(segment, found.frames_u8)
                clock.resume()
                continue
            done = yield from kept.hear(self._finished(segment, latent_seam, pixel_seam))
            kept.keep(segment.first, done, latent_seam.tail, pixel_seam.tail)
            yield from kept.fresh_notes()
            yield from _hand_over(segment, done)
        if clock.frames_done == 0:
            raise errors.no_frames()

    def _finished(
        self, segment: SegmentRun, latent_seam: segments.Seam, pixel_seam: segments.Seam
    ) -> Generator[Event, None, np.ndarray]:
        """Make a segment; return its frames u8 [n,4h,4w,3] that no later segment will touch."""
        condition, z = yield from self.sampled(segment)
        # nothing of a scene's end fades into the next one: not what it was padded with either
        z = latent_seam.join(z, len(z) if segment.ends_scene else segment.ready)
        x = yield from self.decoded(segment, condition, z)
        x = pixel_seam.join(x, segment.ready)
        done = segment.canvas.finish(x[: segment.ready], segment.settings.rounding)
        segment.clock.mark("finish")
        return done

    def segment_of(
        self,
        piece: Piece,
        settings: Settings,
        clock: Clock,
        watch: Watch,
        sides: TileSides,
        z_known: np.ndarray | None = None,
    ) -> SegmentRun:
        """Return a segment ready to be worked on: enlarged to its canvas, with the noise of its frames."""
        canvas = self.canvas_for(*piece.frames_u8.shape[1:3])
        frames_u8 = piece.frames_u8
        if settings.last_segment == "padded":
            frames_u8 = np.stack(segments.padded(list(frames_u8), settings.segment))
        x_lq = canvas.enlarge(frames_u8, self.device)
        x_seen = self._cleaned(frames_u8, x_lq, canvas) if self._cleans(settings) else x_lq
        clock.mark("condition")
        return SegmentRun(
            settings, clock, watch, canvas, sides, piece.first, piece.times_s, piece.begins_scene, piece.ends_scene,
            x_lq, x_seen, noise_of(settings, piece.first, len(frames_u8)),
            None if z_known is None else torch.from_numpy(z_known).to(self.device),
        )  # fmt: skip

    def _cleans(self, wanted: Settings) -> bool:
        return wanted.canvas == "cleaned" and self.cleaner is not None

    def _cleaned(self, frames_u8: np.ndarray, x_lq: Tensor, canvas: Canvas) -> Tensor:
        """Return x_lq [T,3,H,W] with what the cleaner says that frames u8 [T,h,w,3] lack."""
        missing = self.cleaner(self._cast(from_u8(frames_u8).to(self.device))).float()
        if missing.shape[-2:] != canvas.enlarged_hw:
            missing = F.interpolate(missing, size=canvas.enlarged_hw, mode="bicubic", align_corners=False)
        return cleaned(x_lq, canvas.pad(missing))

    def sampled(self, segment: SegmentRun) -> Generator[Event, None, tuple[Condition | None, Tensor]]:
        """Return a segment's condition and its latent z [T,c,h,w], float32; neither depends on any other segment."""
        return (yield from with_room(segment, self._latents))

    def decoded(self, segment: SegmentRun, condition: Condition | None, z: Tensor) -> Generator[Event, None, Tensor]:
        """Return x [T,3,H,W], float32, of a latent that is joined to its neighbours, in the colours of the input."""
        return _of_last_copies(segment, (yield from self._pictured(segment, condition, z)))

    def tile_sides(self, wanted: Settings) -> TileSides:
        """Return the tiles that a run begins with; one that is worked on alone fits into the autoencoder's."""
        denoiser = self.unet.config
        image_px = VAE_TILE[0] if wanted.tiling == "canvas" else alone_tile(wanted)[0]
        return TileSides(denoiser.sample_size, denoiser.smallest_sample, image_px)

    def _latents(self, segment: SegmentRun) -> Generator[Event, None, tuple[Condition | None, Tensor]]:
        """Sample a segment; return its condition (None where it has to be made again) and z [T,c,h,w], of tiles side by side."""
        motion, latents, condition = (yield from self._motion(segment)), [], None
        parts = parts_of(segment, motion, self.vae.factor)
        for part in parts:
            condition = yield from self._condition(part.run)
            latents.append((yield from self._sample(part.run, condition, part.motion)))
        z = torch.cat(latents, -1)
        if segment.z_known is None:
            yield Sampled(segment.first, z.cpu().numpy())
        return condition if len(parts) == 1 else None, z

    def _pictured(self, segment: SegmentRun, condition: Condition | None, z: Tensor) -> Generator[Event, None, Tensor]:
        """Decode z and give the result the colours of the input, tile by tile; return x [T,3,H,W], float32."""
        kept = [condition]  # until memory runs short

        def decoded(again: SegmentRun) -> Generator[Event, None, Tensor]:
            parts = parts_of(again, None, self.vae.factor)
            known, made = kept.pop() if kept else None, []
            for part, z_part in zip(parts, z.chunk(len(parts), -1), strict=True):
                x = yield from self._decode(part.run, known, z_part)
                made.append((part.top, part.left, _coloured(x, part.run)))
            return tiles.blend(made, tuple(segment.x_lq.shape[-2:]), segment.settings.blending)

        return (yield from with_room(segment, decoded))

    def _condition(self, segment: SegmentRun) -> Generator[Event, None, Condition | None]:
        """Encode the LQ frames, tile by tile; None where the latents are known and nobody asks for a condition.

        The LQ latent is drawn from the posterior, as published. The features are kept for the decoder, unless those of all tiles
        would fill the memory: then each tile's are computed again when it is decoded.
        """
        if segment.z_known is not None:
            return None
        yield segment.progress("condition")
        factor, parts, wanted = self.vae.factor, [], segment.settings
        kept: list[list[Tensor]] | None = [] if wanted.cfw else None
        for y, x, tile in self._image_tiles(segment):
            posterior, features = self._with_room(partial(self._encoded, self._cast(tile), wanted))
            too_much = kept is None or features is None or _bytes_of([*kept, features]) > FEATURES_BYTES
            kept = None if too_much else [*kept, features]
            parts.append((y // factor, x // factor, (posterior.mean.float(), posterior.std.float())))
        size_hw = segment.x_lq.shape[-2] // factor, segment.x_lq.shape[-1] // factor
        mean, std = (tiles.blend([(y, x, p[i]) for y, x, p in parts], size_hw, wanted.blending) for i in (0, 1))
        z_lq = (mean + std * segment.noise.draw(mean.shape[1:], mean.device)) * self.vae.config.scaling_factor
        segment.clock.mark("condition")
        return Condition(_finite(z_lq, errors.AT_ENCODING), kept, segment.tiles.image_px)

    def _encoded(self, tile: Tensor, wanted: Settings) -> tuple[DiagonalGaussianDistribution, list[Tensor] | None]:
        """Return the latent's distribution and the features for CFW; the latent may be a first stage's, which has none of these."""
        if self._two_encoders(wanted):
            return self._first_stage().encode(tile)[0], None
        return self.vae.encode(tile)

    def _two_encoders(self, wanted: Settings) -> bool:
        return wanted.encoders == "two" and self._first_stage is not None

    def _image_tiles(self, segment: SegmentRun) -> Iterator[tuple[int, int, Tensor]]:
        sides = segment.tiles
        return tiles.image_tiles(segment.x_seen, sides.image_px, sides.stride_px(self.vae.factor))

    def _motion(self, segment: SegmentRun) -> Generator[Event, None, Motion | None]:
        """Estimate flow on the LQ frames at about their own size, on the latent's grid (spec §5.1); None without guidance."""
        if segment.z_known is not None or not is_guided(segment.settings):
            return None
        yield segment.progress("motion")
        wanted, (h, w) = segment.settings, segment.x_lq.shape[-2:]
        key = wanted.flow, wanted.flow_range
        if key not in self._flows:
            self._flows[key] = load_flow(wanted.flow, self.device, input_range=wanted.flow_range)
        rgb = (segment.x_lq + 1) / 2
        rgb = F.interpolate(rgb, size=(h // SCALE, w // SCALE), mode="bicubic", align_corners=False).clamp(0, 1)
        motion = estimate_motion(rgb, self._flows[key], (h // self.vae.factor, w // self.vae.factor))
        segment.clock.mark("motion")
        return motion

    def _sample(
        self, segment: SegmentRun, condition: Condition | None, motion: Motion | None
    ) -> Generator[Event, None, Tensor]:
        """Denoise from the noised LQ latent (spec §4), pulled along the motion; return z [T,c,h,w], float32."""
        if segment.z_known is not None:
            return segment.z_known
        wanted, z_lq = segment.settings, condition.z_lq
        scheduler = schedule.make_scheduler(self.scheduler.config, wanted.sampler, wanted.steps, wanted.first_timestep)
        fresh = segment.noise.draw(z_lq.shape[1:], z_lq.device)
        z_start = schedule.initial_latent(z_lq, self.scheduler, fresh, wanted.first_timestep)
        record = GuidanceRecord(motion) if segment.watch.guidance and motion is not None else None
        guide = None if motion is None else _guide(segment, motion, record)
        shown = time.monotonic()
        for step in sample(self._denoiser(segment, z_lq), scheduler, z_start, segment.noise, guide):
            segment.clock.mark("sample")
            yield segment.progress("sample", step.index + 1, step.total)
            every_s = segment.watch.preview_every_s
            if every_s is not None and time.monotonic() - shown > every_s:
                yield self._preview(step.z0, segment.first)
                shown = time.monotonic()
        if record is not None:
            yield record.event(segment.first)
        return step.z

    def _denoiser(self, segment: SegmentRun, z_lq: Tensor) -> Denoise:
        """Return the network's prediction as a function of z [T,c,h,w] and t [1], tile by tile."""
        frames, tile = len(z_lq), segment.tiles.latent
        temporal, every = METHODS[segment.settings.method].motion_guided, segment.settings.deepcache
        deep = DeepCache(self.structure_encoder, self.unet, every) if every > 1 else None

        def denoise(z: Tensor, t: Tensor) -> Tensor:
            def one_tile(z_tile: Tensor, y: int, x: int) -> Tensor:
                lq = z_lq[..., y : y + z_tile.shape[-2], x : x + z_tile.shape[-1]]
                if deep is not None:
                    return deep.predict((y, x), self._cast(z_tile), self._cast(lq), t, frames, temporal).float()
                return self._predicted((z_tile, lq, t), (frames, temporal))

            return tiles.tiled(one_tile, z, tile, tile // 2)

        return denoise

    def _predict(self, z: Tensor, z_lq: Tensor, t: Tensor, frames: int, temporal: bool) -> Tensor:
        structure = self.structure_encoder(self._cast(z_lq), t)
        return self.unet(self._cast(z), t, structure, frames, temporal=temporal).float()

    def _decode(self, segment: SegmentRun, condition: Condition | None, z: Tensor) -> Generator[Event, None, Tensor]:
        """Decode z with the LQ frames' features (CFW), tile by tile; return x [T,3,H,W], float32."""
        yield segment.progress("decode", 1)
        factor, z, wanted = self.vae.factor, z / self.vae.config.scaling_factor, segment.settings
        fits = (
            condition is not None and condition.image_px == segment.tiles.image_px
        )  # not where memory has since run short
        known, parts = condition.features if fits else None, []
        for i, (y, x, tile) in enumerate(self._image_tiles(segment)):
            h, w = tile.shape[-2] // factor, tile.shape[-1] // factor
            z_tile = self._cast(z[..., y // factor : y // factor + h, x // factor : x // factor + w])
            encode = partial(self.vae.encode, self._cast(tile))
            features = (known[i] if known else self._with_room(encode)[1]) if wanted.cfw else None
            decode = partial(self.vae.decode, z_tile, features, len(z), wanted.cfw, decodes_together(wanted))
            decoded = self._with_room(decode)
            parts.append((y, x, decoded.float()))
        x = tiles.blend(parts, tuple(segment.x_lq.shape[-2:]), wanted.blending)
        segment.clock.mark("decode")
        return _finite(x, errors.AT_DECODING)

    def _with_room(self, work: Callable[[], Outcome]) -> Outcome:
        """Do some work; where memory falls short, once more without what recorded denoising steps hold."""
        try:
            return work()
        except torch.OutOfMemoryError:
            if not self._predicted.forget():
                raise
        torch.cuda.empty_cache()  # outside: what was raised holds what the work had made
        return work()

    def _preview(self, z0: Tensor, first: int) -> Preview:
        middle = len(z0) // 2
        z = self._cast(z0[middle : middle + 1] / self.vae.config.scaling_factor)
        return Preview(first + middle, to_u8(self.vae.decode(z, None, 1, fidelity=0.0, temporal=False))[0])

    def _cast(self, x: Tensor) -> Tensor:
        return x.to(self.vae.dtype).contiguous(memory_format=torch.channels_last)

    def canvas_for(self, height: int, width: int) -> Canvas:
        """Return the sizes at which a clip of height × width pixels is worked on."""
        return plan_canvas(height, width, self.unet.config.smallest_sample * self.vae.factor)

    def report(self, settings: Settings, clock: Clock) -> dict:
        """Return what there is to say of a run that ends now, ready for JSON."""
        on_gpu = self.device.type == "cuda"
        return {
            "settings": asdict(settings),
            "weights": self._weights,
            "canvas": "cleaned" if self._cleans(settings) else "bicubic",
            "latent_encoder": FIRST_STAGE if self._two_encoders(settings) else "vae",
            "frames": clock.frames_done,
            "frames_resumed": clock.frames_resumed,
            "device": str(self.device),
            "dtype": str(self.vae.dtype).removeprefix("torch."),
            "seconds": {stage: round(s, 3) for stage, s in clock.stages.items()},
            "peak_memory_bytes": torch.cuda.max_memory_allocated(self.device) if on_gpu else memory.peak_bytes(),
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
        }


def _guide(segment: SegmentRun, motion: Motion, record: GuidanceRecord | None) -> Guide:
    """Return what moves the latent after each step, and tells the record of it if there is one."""
    wanted = segment.settings

    def guide(z: Tensor, state: guidance.StepState) -> Tensor:
        moved = guidance.guidance_step(z, motion, state, wanted.guidance, wanted.guidance_mode)
        if record is not None:
            record.add(z, moved, state)
        return moved

    return guide


def _bytes_of(features: list[list[Tensor]]) -> int:
    return sum(x.numel() * x.element_size() for tile in features for x in tile)


def _coloured(x: Tensor, segment: SegmentRun) -> Tensor:
    """Give x [T,3,H,W] the colours of the segment's input."""
    x = COLOUR_FIXES[segment.settings.colour](x, segment.x_lq)
    return keep_flat(x, segment.x_lq) if segment.settings.flat == "kept" else x


def _of_last_copies(segment: SegmentRun, x: Tensor) -> Tensor:
    """Return x [T,3,H,W] without what it was padded with: as published, the last frame's picture is that of its last copy."""
    count = len(segment.times_s)
    return x if len(x) == count else torch.cat([x[: count - 1], x[-1:]])


def _finite(x: Tensor, when: str) -> Tensor:
    """Return x; raise UserError saying when its numbers stopped being finite."""
    if not torch.isfinite(x).all():
        raise errors.numbers_broken_when(when)
    return x


def _hand_over(segment: SegmentRun, done: np.ndarray) -> Iterator[Event]:
    """Yield the segment's frames u8 [n,4h,4w,3] with their times."""
    segment.clock.mark("keep")
    yield FramesDone(segment.first, done, segment.times_s[: segment.ready], segment_border=not segment.begins_scene)
    segment.clock.mark("handover")  # what the caller did with them: writing, showing
    segment.clock.frames_done = segment.first + segment.ready + segment.clock.frames_repeated


def _enlarged(frames: Iterable[Frame], peer: str, clock: Clock) -> Iterator[Event]:
    for i, frame in enumerate(frames):
        yield FramesDone(i, ENLARGERS[peer](frame.rgb_u8[None]), (frame.time_s,), segment_border=False)
        clock.mark(peer)
        clock.frames_done = i + 1
        yield Progress(peer, i + 1, clock.total_frames, None)
    if clock.frames_done == 0:
        raise errors.no_frames()


def _each_once(
    frames: Iterable[Frame], work: Callable[[Iterable[Frame]], Iterator[Event]], clock: Clock
) -> Iterator[Event]:
    """Work on the frames of which none is equal to the one before it."""
    repeats = Repeats(clock)
    return repeats.again(work(repeats.once(frames)))
