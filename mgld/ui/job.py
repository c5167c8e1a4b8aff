"""The one device job of the page: a clip in, progress, previews and the finished video out."""

from __future__ import annotations

import html
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import gradio as gr

from mgld.errors import UserError
from mgld.events import FramesDone, Preview, Progress, Result
from mgld.settings import PREVIEW_EVERY_S, Settings
from mgld.ui import words
from mgld.ui.progress import bar

Shown = tuple[str, object, object]  # progress line, preview picture, result video


@cache
def open_pipeline(model: str, device: str):
    """Open the model once for all visitors."""
    from mgld.pipeline import MGLDPipeline

    return MGLDPipeline.from_pretrained(model, device)


def upscale(
    model: str,
    device: str,
    clip: str | None,
    method: str,
    frames: int,
    steps: int,
    guidance: float,
    flow: str,
    seed: int,
) -> Iterator[Shown]:
    """Yield (progress line, preview, video); closing it stops the work within one denoising step."""
    folder = Path(tempfile.mkdtemp(prefix="mgld-job-"))  # a name of our own: nothing from the request becomes a path
    try:
        if clip is None:
            raise UserError(words.NO_CLIP)
        wanted = Settings(method=method, steps=steps, guidance=guidance, flow=flow, seed=seed).checked()
        yield from _work(Path(clip), folder / "result.mp4", frames, wanted, model, device)
    except UserError as error:
        yield bar(words.FAILED), None, None
        raise gr.Error(html.escape(str(error)), print_exception=False) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _work(clip: Path, out: Path, limit: int, wanted: Settings, model: str, device: str) -> Iterator[Shown]:
    from mgld.video import VideoWriter, probe, read_frames

    known = probe(clip)
    yield bar(words.LOADING), None, None
    pipeline = open_pipeline(model, device)
    total = min(known.frame_count or limit, limit)
    preview, report = None, {}
    with VideoWriter(out, known.fps, audio_from=clip) as writer:
        frames = read_frames(clip, max_frames=limit)
        for event in pipeline.run(frames, wanted, total, PREVIEW_EVERY_S):
            if isinstance(event, FramesDone):
                for frame, time_s in zip(event.frames_u8, event.times_s, strict=True):
                    writer.write(frame, time_s)
                preview = event.frames_u8[-1]
            elif isinstance(event, Preview):
                preview = event.rgb_u8
            elif isinstance(event, Progress):
                left = event.seconds_left or 0
                text = words.WORKING.format(done=event.done, total=total, left=left)
                yield bar(text, event.done / total), preview, None
            elif isinstance(event, Result):
                report = event.report
    seconds = sum(report["seconds"].values())
    text = words.DONE.format(frames=report["frames"], seconds=seconds, device=report["device"])
    yield bar(text, 1.0), preview, str(out)
