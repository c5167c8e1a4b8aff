"""The one device job of the page: a clip in; progress, previews, the comparison, its figures and files out."""

from __future__ import annotations

import html
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import gradio as gr
import numpy as np

from mgld import errors, settings
from mgld.errors import UserError
from mgld.events import FramesDone, Preview, Progress, Result
from mgld.settings import METHODS, PREVIEW_EVERY_S, Settings
from mgld.ui import words
from mgld.ui.cost import CostModel, canvas_megapixels
from mgld.ui.figures import comparison
from mgld.ui.progress import bar
from mgld.ui.results import Kept, Part, Store, sha256_of
from mgld.ui.takeaway import write_files

Shown = tuple[str, object, object, str, list[str] | None]  # progress, preview, comparison, table, files

STORE = Store()
COST = CostModel()


@dataclass(frozen=True)
class Request:
    """What a visitor asked for, checked."""

    clip: Path
    start_s: float
    frames: int
    methods: tuple[str, ...]
    knobs: Settings
    truth: Path | None = None


@cache
def open_pipeline(model: str, device: str):
    """Open the model once for all visitors."""
    from mgld.pipeline import MGLDPipeline

    return MGLDPipeline.from_pretrained(model, device)


def compare(model: str, device: str, request: Request) -> Iterator[Shown]:
    """Yield what the page shows; closing it stops the work within one denoising step."""
    folder = Path(tempfile.mkdtemp(prefix="mgld-job-"))  # a name of our own: nothing from the request becomes a path
    try:
        yield from _work(request, folder, model, device)
    except UserError as error:
        yield bar(words.FAILED), None, gr.skip(), "", None
        raise gr.Error(html.escape(str(error)), print_exception=False) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def checked_request(clip, methods, start_s, frames, truth, knobs: Settings) -> Request:
    """Return the request if it can be worked on; raise UserError saying what is wrong."""
    if clip is None:
        raise UserError(words.NO_CLIP)
    chosen = tuple(m for m in METHODS if m in (methods or ()) and m != "bicubic")
    if not chosen:
        raise UserError(words.NO_METHOD)
    if not 1 <= frames <= settings.PAGE_FRAMES or frames != int(frames):
        raise errors.bad_setting(words.FRAMES, frames, f"a whole number from 1 to {settings.PAGE_FRAMES}")
    if not start_s >= 0:
        raise errors.bad_setting(words.START, start_s, words.START_ALLOWED)
    return Request(Path(clip), float(start_s), int(frames), chosen, knobs.checked(), Path(truth) if truth else None)


def _work(request: Request, folder: Path, model: str, device: str) -> Iterator[Shown]:
    from mgld.canvas import bicubic
    from mgld.video import probe, read_frames

    known = probe(request.clip)
    yield bar(words.LOADING), None, gr.skip(), "", None
    pipeline = open_pipeline(model, device)
    clip = list(read_frames(request.clip, request.start_s, request.frames))
    truth = _truth(request, clip)
    part = Part(sha256_of(request.clip), request.start_s, len(clip))
    kept: dict[str, Kept] = {}
    for number, method in enumerate(request.methods):
        wanted = replace(request.knobs, method=method)
        kept[method] = yield from _method(pipeline, clip, part, wanted, number, len(request.methods))
    yield bar(words.MEASURING, 1.0), gr.skip(), gr.skip(), "", None
    layers = {"bicubic": bicubic(np.stack([f.rgb_u8 for f in clip]))}
    layers |= {method: k.frames_u8 for method, k in kept.items()} | ({"truth": truth} if truth is not None else {})
    borders = next((k.borders for m, k in reversed(kept.items()) if k.borders), ())
    stage, table = comparison(folder / "stage.mp4", layers, known.fps, borders, request.knobs.flow)
    files = write_files(folder, request, known, clip, layers, {m: k.report for m, k in kept.items()}, table, model)
    seconds = sum(sum(k.report["seconds"].values()) for k in kept.values())
    done = words.DONE.format(frames=len(clip), seconds=seconds, device=pipeline.device)
    yield bar(done, 1.0), None, stage, table.markdown, [str(f) for f in files]


def _method(pipeline, clip: list, part: Part, wanted: Settings, number: int, count: int) -> Iterator[Shown]:
    """Run one method, or take what an equal run made; return its result."""
    found = STORE.result(part, wanted)
    if found is not None:
        return found
    label, preview = METHODS[wanted.method], gr.skip()
    parts, borders, report = [], [], {}
    for event in pipeline.run(clip, wanted, len(clip), PREVIEW_EVERY_S, STORE.latents_of(part, wanted)):
        if isinstance(event, FramesDone):
            parts.append(event.frames_u8)
            borders += [event.first_frame] if event.segment_border else []
            preview = event.frames_u8[-1]
        elif isinstance(event, Preview):
            preview = event.rgb_u8
        elif isinstance(event, Progress):
            text = words.WORKING.format(method=label, done=event.done, total=len(clip), left=event.seconds_left or 0)
            yield bar(text, (number + event.done / len(clip)) / count), preview, gr.skip(), "", None
            preview = gr.skip()
        elif isinstance(event, Result):
            report = event.report
    megapixels = canvas_megapixels(pipeline, *clip[0].rgb_u8.shape[:2])
    if {"condition", "sample"} <= set(report["seconds"]):
        COST.learn(report, wanted, len(clip), megapixels)
    result = Kept(np.concatenate(parts), report, tuple(borders))
    STORE.keep(part, wanted, result)
    return result


def _truth(request: Request, clip: list) -> np.ndarray | None:
    """Return the ground truth's frames u8 [T,4h,4w,3]; raise UserError if they are of another size or too few."""
    from mgld.video import read_frames

    if request.truth is None:
        return None
    height, width = (settings.SCALE * side for side in clip[0].rgb_u8.shape[:2])
    frames = [f.rgb_u8 for f in read_frames(request.truth, request.start_s, len(clip))]
    if len(frames) != len(clip) or frames[0].shape[:2] != (height, width):
        raise errors.truth_differs(len(frames), frames[0].shape[1], frames[0].shape[0], len(clip), width, height)
    return np.stack(frames)
