"""`compare IN OUT_DIR`: every method on one clip, side by side: videos, profile, curves and a report."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from mgld import errors, settings
from mgld.commands.upscale import add_device, add_settings, say, settings_of
from mgld.methods import OURS


def add_to(commands: argparse._SubParsersAction) -> None:
    """Register the command."""
    command = commands.add_parser("compare", help="run every method on a clip and write videos, plots and a report")
    command.add_argument("input", metavar="IN", type=Path, help="video file, GIF or folder of frames")
    command.add_argument("output", metavar="OUT_DIR", type=Path, help="a new or empty folder")
    command.add_argument(
        "--methods", nargs="+", choices=OURS, default=OURS, metavar="METHOD", help="any of " + ", ".join(OURS)
    )
    command.add_argument("--gt", type=Path, metavar="CLIP", help="the ground truth, four times as large")
    command.add_argument(
        "--others", nargs="*", type=Path, default=(), metavar="CLIP", help="results made elsewhere, four times as large"
    )
    command.add_argument("--model", default="tiny", help="tiny, sd21, a folder, or OWNER/NAME of a Hub repository")
    held = "stop after this many frames, since all results are held in memory (default %(default)s)"
    command.add_argument("--frames", type=int, default=settings.PAGE_FRAMES, help=held)
    command.add_argument("--start", type=float, default=0.0, metavar="SECONDS", help="where in the clip to begin")
    command.add_argument("--crop", default="", metavar="L,T,R,B", help="the part of the frame to work on, in per cent")
    command.add_argument("--lossless", action="store_true", help="write the results as FFV1 too")
    add_settings(command, without=("method",))
    add_device(command)
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> None:
    """Compare as the page does; the folder appears whole or not at all."""
    wanted = settings_of(chosen)
    if chosen.frames < 1:
        raise errors.bad_setting("--frames", chosen.frames, "1 or more")
    if chosen.output.exists() and (not chosen.output.is_dir() or any(chosen.output.iterdir())):
        raise errors.output_folder_used(chosen.output)
    if not chosen.output.absolute().parent.is_dir():
        raise errors.file_missing(chosen.output.absolute().parent)
    work = tempfile.mkdtemp(prefix=".mgld-", suffix=".part", dir=chosen.output.absolute().parent)
    try:
        count = _compare(chosen, wanted, Path(work))
        Path(work).chmod(0o755)
        Path(work).replace(chosen.output.absolute())
    finally:
        shutil.rmtree(work, ignore_errors=True)
    say(f"{count} files → {chosen.output}")


def _compare(chosen: argparse.Namespace, wanted: settings.Settings, folder: Path) -> int:
    """Fill folder with everything; return how many files that makes."""
    from mgld.comparison import takeaway
    from mgld.comparison.figures import comparison
    from mgld.comparison.request import Request, crop_of
    from mgld.comparison.work import Work

    methods = tuple(m for m in OURS if m in chosen.methods)
    asked = Request(
        chosen.input, chosen.start, chosen.frames, methods, wanted, chosen.model, crop_of(chosen.crop), chosen.gt,
        tuple(chosen.others),
    )  # fmt: skip
    work: Work = _begun(asked)
    _produce(work, chosen.device, chosen.dtype)
    layers = work.layers()
    stage, work.table = comparison(folder / "stage.mp4", layers, work.material.fps, work.borders_of(), wanted.flow)
    (folder / "stage.mp4").unlink()  # of use to the page only
    print(work.table.markdown.replace("### ", ""))
    outcome = takeaway.outcome_of(work, layers)
    files = takeaway.write_files(folder, outcome)
    return len(files) + len(takeaway.write_lossless(folder, outcome) if chosen.lossless else ())


def _begun(asked):
    import numpy as np

    from mgld.canvas import bicubic
    from mgld.comparison.request import read
    from mgld.comparison.work import Work

    material = read(asked)
    large = bicubic(np.stack([f.rgb_u8 for f in material.clip]))
    return Work(asked, material, {m: replace(asked.knobs, method=m) for m in asked.methods}, large, 0.0)


def _produce(work, device: str, dtype: str) -> None:
    """Run every method; guided sampling once for both decoders."""
    import numpy as np

    from mgld.comparison.store import Kept
    from mgld.events import FramesDone, Progress, Result, Sampled
    from mgld.pipeline import MGLDPipeline
    from mgld.sharing import sampled_as

    pipeline, started, latents = MGLDPipeline.from_pretrained(work.request.model, device, dtype), time.monotonic(), {}
    clip = work.material.clip
    for name, wanted in work.runs.items():
        parts, borders = [], []
        known = latents.setdefault(sampled_as(wanted), {})
        for event in pipeline.run(clip, wanted, len(clip), known=known):
            if isinstance(event, Sampled):
                known[event.first_frame] = event.z
            if isinstance(event, FramesDone):
                parts.append(event.frames_u8)
                borders += [event.first_frame] if event.segment_border else []
            elif isinstance(event, Progress):
                left = "" if event.seconds_left is None else f" · {event.seconds_left:.0f} s left"
                say(f"{name}: frame {event.done:.1f} of {event.total:g}{left}", line=True)
            elif isinstance(event, Result):
                work.kept[name] = Kept(np.concatenate(parts), event.report, tuple(borders))
        say(f"{name}: {sum(work.kept[name].report['seconds'].values()):.1f} s")
    work.taken_s = time.monotonic() - started
