"""MGLDPipeline: load a model folder, turn LQ frames into HQ frames, say what happens on the way.

Reading order: `run` → `_diffused` → `_finished`, whose lines are the boxes of the paper's figure; each is a file of `mgld/stages/`.
Everything is a generator; closing it stops within one denoising step.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDPMScheduler, DiffusionPipeline
from torch import Tensor

from mgld import errors, memory
from mgld.canvas import Canvas, bicubic
from mgld.clock import Clock
from mgld.device import best_dtype, device_of
from mgld.events import Event, FramesDone, Note, Progress, Result, end_of
from mgld.flow import FLOW_FOLDER, FlowNetwork
from mgld.host import CUDA_GRAPHS
from mgld.kept import NOTHING_KEPT, KeptRun
from mgld.methods import PEERS, holds_repeats, overlap_of
from mgld.nets import Cleaner, StructureEncoder, VideoUNet, VideoVAE
from mgld.nets.loading import CLEANER, FIRST_STAGE, NETS, open_net
from mgld.nets.replay import Replay
from mgld.nets.winograd import quickened
from mgld.presets import local_folder, name_of
from mgld.sampling.noise import noise_of
from mgld.sampling.repeats import Repeats
from mgld.sampling.segments import Seam
from mgld.segment import NOTHING_WATCHED, SegmentRun, View, Watch, cut, short_memory_refused
from mgld.settings import Settings, exhaustive
from mgld.stages.condition import segment_of
from mgld.stages.decode import decoded
from mgld.stages.networks import Networks
from mgld.stages.sample import sampled, sampled_once
from mgld.stages.seen import SeenFrames
from mgld.video import Frame

ENLARGERS = exhaustive({"bicubic": bicubic}, PEERS)  # u8 [T,h,w,3] -> u8 [T,4h,4w,3], without networks
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
        self._predicted = Replay(lambda *given: self.networks.predict(*given), (structure_encoder, unet), CUDA_GRAPHS)
        self._flows: dict[tuple[str, str], FlowNetwork] = {}
        self._weights = ""  # of networks that were handed in
        self._flow_dir: Path | None = None
        self._first_stage: Callable[[], VideoVAE] | None = None
        self._stablesr: Callable[[], MGLDPipeline] | None = None

    @classmethod
    def from_pretrained(cls, model: str | Path = "tiny", device: str = "auto", dtype: str = "auto") -> MGLDPipeline:
        """Open a preset, a folder or a Hub repository; UserError says how to get one that is absent.

        A folder that holds StableSR's own networks (STABLESR, as `convert sd21` writes it) uses them for per_frame: they differ
        from MGLD's with the temporal parts off (spec §10). The report says which weights worked.
        """
        folder, device = local_folder(str(model)), device_of(device)
        kind = getattr(torch, best_dtype(device) if dtype == "auto" else dtype)

        def opened(name: str) -> Any:
            net = open_net(folder, name, kind).requires_grad_(False)
            return net.to(device=torch.device(device), memory_format=torch.channels_last)

        nets = {name: opened(name) for name in (*NETS, *((CLEANER,) if (folder / CLEANER).is_dir() else ()))}
        if device == "cpu" and kind == torch.float32:
            nets = {name: quickened(net) for name, net in nets.items()}
        pipeline = cls(scheduler=_scheduler_of(folder, model), **nets)
        pipeline._weights = name_of(model)
        pipeline._flow_dir = folder / FLOW_FOLDER
        if (folder / FIRST_STAGE).is_dir():
            pipeline._first_stage = cache(partial(opened, FIRST_STAGE))
        if (folder / STABLESR).is_dir():
            pipeline._stablesr = cache(partial(cls.from_pretrained, folder / STABLESR, device, dtype))
        return pipeline

    def __call__(self, frames_u8: np.ndarray, settings: Settings | None = None) -> np.ndarray:
        """Upscale u8 [T,h,w,3] to u8 [T,4h,4w,3] in one call; raise UserError if the frames are anything else."""
        _check_frames(frames_u8)
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
        seen: SeenFrames | None = None,
    ) -> Iterator[Event]:
        """Yield Progress, Preview, Sampled, FramesDone (in order, each frame once) and at last Result.

        frames may be any iterator; only a segment of it is held. total, when known, makes times left possible.
        known holds latents f32 [T,c,h,w] by their segment's first frame, as Sampled events of a run with equal `sampled_as` told
        them; these segments are not sampled again. watch asks for Previews, and for a Guided event of each segment that is guided.
        Segments in kept are not made again: after Resumed they are handed over with what was told of them. seen holds encoded
        frames, for several runs over one clip.
        """
        settings, clock, notes = settings.checked(), Clock(total), []
        engine = self.engine_for(settings)
        if engine is not self:
            yield from engine.run(frames, settings, total, watch, known, kept)  # its autoencoder is another one
            return
        self._forget_peak()
        if settings.method in PEERS:
            events = _enlarged(frames, settings.method, clock)
        else:
            known, seen = known or {}, seen or SeenFrames(for_one_run=True)
            work = partial(
                self._diffused, settings=settings, clock=clock, watch=watch, known=known, kept=kept, seen=seen
            )
            events = _each_once(frames, work, clock) if holds_repeats(settings) else work(frames)
        with short_memory_refused():
            for event in events:
                notes += [event.text] if isinstance(event, Note) else []
                yield event
        yield Result(self.report(settings, clock) | {"notes": notes})

    def engine_for(self, settings: Settings) -> MGLDPipeline:
        """Return the pipeline whose networks make this run: per_frame's are StableSR's own where the folder has them."""
        return self._stablesr() if settings.method == "per_frame" and self._stablesr is not None else self

    @property
    def networks(self) -> Networks:
        """Return its networks as they are now; what they keep between calls is the same each time."""
        return Networks(
            self.vae, self.unet, self.structure_encoder, self.scheduler, self._predicted, self._flows, self.cleaner,
            self._first_stage, flow_dir=self._flow_dir,
        )  # fmt: skip

    @torch.no_grad()
    def latents(self, x_seen: Tensor, settings: Settings) -> Tensor:
        """Return the sampled latents [T,c,h,w] (scaled) of one segment x_seen [T,3,H,W] in [-1,1]; what stage 2 trains on."""
        count, (height, width), nets = len(x_seen), x_seen.shape[-2:], self.networks
        size_hw = height, width
        segment = SegmentRun(
            settings, Clock(None), NOTHING_WATCHED, Canvas(size_hw, size_hw, size_hw), nets.tile_sides(settings), 0,
            (0.0,) * count, True, True, x_seen, partial(View, x_seen, x_seen), noise_of(settings, 0, count),
        )  # fmt: skip
        return end_of(sampled_once(nets, segment))[1]

    def _diffused(
        self,
        frames: Iterable[Frame],
        settings: Settings,
        clock: Clock,
        watch: Watch,
        known: Mapping[int, np.ndarray],
        kept: KeptRun,
        seen: SeenFrames,
    ) -> Iterator[Event]:
        nets, latent_seam, pixel_seam = replace(self.networks, seen=seen), Seam(), Seam()
        clock.plan(settings.segment - overlap_of(settings))
        sides = nets.tile_sides(settings)
        if kept.count:
            yield kept.resumed(settings, clock.total_frames)
        yield from kept.fresh_notes()
        for piece in cut(frames, settings):
            clock.mark("read")
            segment = segment_of(nets, piece, settings, clock, watch, sides, known.get(piece.first))
            if (found := kept.find(segment.first)) is not None:
                yield from found.told
                latent_seam.tail, pixel_seam.tail = found.z_tail, found.x_tail
                yield from _hand_over(segment, found.frames_u8)
                clock.resume()
                continue
            done = yield from kept.hear(_finished(nets, segment, latent_seam, pixel_seam))
            seen.end_segment()
            kept.keep(segment.first, done, latent_seam.tail, pixel_seam.tail)
            yield from kept.fresh_notes()
            yield from _hand_over(segment, done)
        if clock.frames_done == 0:
            raise errors.no_frames()

    def _forget_peak(self) -> None:
        """Let the peak that is reported be this run's."""
        memory.forget_peak()
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)

    def report(self, settings: Settings, clock: Clock) -> dict:
        """Return what there is to say of a run that ends now, ready for JSON."""
        nets, on_gpu = self.networks, self.device.type == "cuda"
        return {
            "settings": asdict(settings),
            "weights": self._weights,
            "canvas": "bicubic" if nets.cleaner_for(settings) is None else "cleaned",
            "latent_encoder": "vae" if nets.first_stage_for(settings) is None else FIRST_STAGE,
            **clock.frames_told(),
            "device": str(self.device),
            "dtype": str(self.vae.dtype).removeprefix("torch."),
            "seconds": {stage: round(s, 3) for stage, s in clock.stages.items()},
            "peak_memory_bytes": torch.cuda.max_memory_allocated(self.device) if on_gpu else memory.peak_bytes(),
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
        }


def _scheduler_of(folder: Path, model: str | Path) -> DDPMScheduler:
    try:
        return DDPMScheduler.from_pretrained(folder, subfolder="scheduler")
    except (OSError, ValueError) as error:
        raise errors.model_broken(model, "scheduler", "is missing or damaged") from error


def _finished(
    nets: Networks, segment: SegmentRun, latent_seam: Seam, pixel_seam: Seam
) -> Generator[Event, None, np.ndarray]:
    """Make a segment; return its frames u8 [n,4h,4w,3] that no later segment will touch."""
    condition, z = yield from sampled(nets, segment)
    # nothing of a scene's end fades into the next one: not what it was padded with either
    z = latent_seam.join(z, len(z) if segment.ends_scene else segment.ready)
    x = yield from decoded(nets, segment, condition, z)
    done = segment.finish(pixel_seam.join(x, segment.ready))
    segment.clock.mark("finish")
    return done


def _hand_over(segment: SegmentRun, done: np.ndarray) -> Iterator[Event]:
    """Yield the segment's frames u8 [n,4h,4w,3] with their times."""
    segment.clock.mark("keep")
    yield FramesDone(segment.first, done, segment.times_s[: segment.ready], segment_border=not segment.begins_scene)
    segment.clock.mark("handover")  # what the caller did with them: writing, showing
    segment.clock.frames_done = segment.first + segment.ready + segment.clock.frames_repeated


def _check_frames(frames_u8: object) -> None:
    if not isinstance(frames_u8, np.ndarray):
        raise errors.frames_unfit(f"a {type(frames_u8).__name__}")
    if frames_u8.dtype != np.uint8 or frames_u8.ndim != 4 or frames_u8.shape[-1] != 3:
        raise errors.frames_unfit(f"{frames_u8.dtype} of shape {list(frames_u8.shape)}")


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
