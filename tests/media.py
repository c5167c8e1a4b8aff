"""Every odd video that the tests need, made in code."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
from PIL import Image

PATCHES = np.array([(200, 40, 40), (40, 180, 60), (40, 60, 200), (128, 128, 128)], np.uint8)


def flat(colour: tuple[int, int, int] | np.ndarray, height: int = 48, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def coded_frames(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Frames whose grey level tells their number."""
    return [flat((20 + 5 * i % 220,) * 3, height, width) for i in range(count)]


def number_of(rgb: np.ndarray) -> int:
    """Read coded_frames' number back (under 44)."""
    return round((float(rgb.mean()) - 20) / 5)


def make_video(
    path: Path,
    frames: list[np.ndarray],
    fps: int = 25,
    times_s: list[float] | None = None,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    sound_s: float | None = None,
    sound_codec: str = "aac",
) -> Path:
    """Write a video with PyAV, frame times and sound as asked."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=fps)
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], pixels
        stream.codec_context.time_base = Fraction(1, 1000)
        if codec == "libx264":
            stream.options = {"crf": "10"}
        else:
            stream.bit_rate = 8_000_000
        sound = out.add_stream(sound_codec, rate=48000) if sound_s else None
        for i, rgb in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts = round(1000 * (times_s[i] if times_s else i / fps))
            frame.time_base = Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if sound:
            for start in range(0, round(48000 * sound_s), 960):
                wave = np.sin(np.arange(start, start + 960) * 440 * 2 * np.pi / 48000).astype(np.float32)
                frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
                out.mux(sound.encode(frame))
            out.mux(sound.encode(None))
    return path


def make_raw(path: Path, frames: list[np.ndarray], pixels: str, *options: str, input_pixels: str = "rgb24") -> Path:
    """Write a video with the ffmpeg binary from raw frames [H,W,C], in a pixel format that PyAV cannot be asked for."""
    raw = path.with_suffix(".raw")
    raw.write_bytes(b"".join(rgb.tobytes() for rgb in frames))
    size = f"{frames[0].shape[1]}x{frames[0].shape[0]}"
    source = ["-f", "rawvideo", "-pix_fmt", input_pixels, "-s", size, "-r", "25", "-i", str(raw)]
    ffmpeg(*source, *options, "-pix_fmt", pixels, str(path))
    raw.unlink()
    return path


def ffmpeg(*arguments: str) -> subprocess.CompletedProcess:
    """Run the ffmpeg binary that imageio-ffmpeg ships: an independent witness."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *arguments]
    return subprocess.run(command, capture_output=True, check=True)


def ffmpeg_decode(path: Path, height: int, width: int) -> np.ndarray:
    """Decode every frame with ffmpeg, u8 [T,H,W,3]; no frame is dropped or doubled."""
    raw = ffmpeg("-i", str(path), "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-").stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


def animation(path: Path, frames: list[np.ndarray], durations_ms: list[int], plays: int) -> Path:
    """Write an animated GIF, WebP or PNG that plays so often, 0 for ever."""
    first, *others = [Image.fromarray(rgb) for rgb in frames]
    loops = {"loop": plays - 1 if path.suffix == ".gif" and plays else plays}
    if path.suffix == ".gif" and plays == 1:
        loops = {}  # a GIF that does not say is played once
    lossless = {"lossless": True} if path.suffix == ".webp" else {}
    first.save(path, save_all=True, append_images=others, duration=durations_ms, **loops, **lossless)
    return path
