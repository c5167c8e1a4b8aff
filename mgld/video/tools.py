"""What the ffmpeg binary that writes the results can do."""

from __future__ import annotations

import subprocess

import imageio_ffmpeg

NEEDED = ("libx264", "ffv1", "gif", "aac")


def encoders() -> dict[str, bool]:
    """Say of every encoder that results may need whether it is there; none is where ffmpeg itself is missing."""
    try:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "quiet", "-encoders"]
        told = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=30).stdout
    except (OSError, RuntimeError, subprocess.SubprocessError):
        return dict.fromkeys(NEEDED, False)
    names = {line.split()[1] for line in told.splitlines() if len(line.split()) > 1}
    return {name: name in names for name in NEEDED}
