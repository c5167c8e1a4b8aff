"""`flow IN OUT`: the motion between neighbouring frames as colours, and where it cannot be trusted."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from mgld import errors, settings
from mgld.commands.console import say, say_notes
from mgld.commands.options import add_range, check_output, check_range

if TYPE_CHECKING:
    import numpy as np

    from mgld.flow import FlowNetwork
    from mgld.video import Frame

PARTS = ("flow", "occlusion")  # folders inside OUT


def add_to(commands: argparse._SubParsersAction) -> None:
    """Register the command."""
    command = commands.add_parser("flow", help="draw the motion between frames, and where it is hidden")
    command.add_argument("input", metavar="IN", type=Path, help="video file, GIF, folder or zip of frames")
    command.add_argument(
        "output", metavar="OUT", type=Path, help="a folder for flow/ and occlusion/ pictures, or a video of both"
    )
    command.add_argument("--flow", choices=settings.FLOWS, default=settings.Settings.flow, help="flow network")
    command.add_argument(
        "--longest", type=float, metavar="PX", help="motion in full colour (default: each picture's longest)"
    )
    add_range(command)
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 …")
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> None:
    """Measure pair after pair, and write what was found as it comes."""
    if chosen.longest is not None and not 0 < chosen.longest < float("inf"):
        raise errors.bad_setting("--longest", chosen.longest, "more than 0 pixels")
    check_range(chosen)
    check_output(chosen.input, chosen.output)
    from mgld.device import device_of
    from mgld.flow import load_flow
    from mgld.video import VideoWriter, probe, read_frames

    clip = probe(chosen.input)
    network = load_flow(chosen.flow, device_of(chosen.device))
    frames = read_frames(chosen.input, chosen.start, chosen.frames)
    count, lengths = 0, []
    with ExitStack() as files:
        writers = [files.enter_context(VideoWriter(path, clip.fps)) for path in _outputs(chosen.output)]
        for first, length, pictures in drawn(frames, network, chosen.longest):
            for writer, picture in zip(writers, pictures if len(writers) > 1 else [_beside(pictures)], strict=True):
                writer.write(picture, first.time_s)
            count, lengths = count + 1, [*lengths, length]
        if not count:
            raise errors.too_few_frames()
    say(f"{count} pairs of frames, {sum(lengths) / count:.2f} px on average → {chosen.output}")
    say_notes([note for writer in writers for note in writer.notes])


def drawn(
    frames: Iterator[Frame], network: FlowNetwork, longest_px: float | None
) -> Iterator[tuple[Frame, float, list[np.ndarray]]]:
    """Yield (first frame, mean length in pixels, [flow colours, occlusion] u8 [H,W,3]) of every pair."""
    import numpy as np

    from mgld.flow import estimate_motion
    from mgld.plots import flow_colours

    earlier = next(frames, None)
    for later in frames:
        pair = _tensor(np.stack([earlier.rgb_u8, later.rgb_u8]))
        motion = estimate_motion(pair, network, pair.shape[-2:])
        flow_px, hidden = motion.to_next[0].cpu().numpy(), 1 - motion.visible_in_next[0, 0].cpu().numpy()
        occlusion = np.repeat((255 * hidden).astype(np.uint8)[..., None], 3, -1)
        yield earlier, float(np.hypot(*flow_px).mean()), [flow_colours(flow_px, longest_px), occlusion]
        earlier = later


def _outputs(path: Path) -> list[Path]:
    """Return one folder per kind of picture inside path, or path itself if it names a video."""
    if path.suffix and not path.is_dir():
        return [path]
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise errors.output_folder_used(path)
    if not path.absolute().parent.is_dir():
        raise errors.file_missing(path.absolute().parent)
    path.mkdir(exist_ok=True)
    return [path / part for part in PARTS]


def _beside(pictures: list[np.ndarray]) -> np.ndarray:
    import numpy as np

    return np.concatenate(pictures, axis=1)


def _tensor(frames_u8: np.ndarray):
    import torch

    return torch.from_numpy(frames_u8).permute(0, 3, 1, 2).float() / 255
