"""An encoder that fails says why: in its own words to a person in one line, all of them in the log."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from mgld.video.encoder import FrameEncoder

NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
H264 = ["-vcodec", "libx264", "-pix_fmt", "yuv420p"]


def fed(path, options, frames=10):
    """Return an encoder that has been given frames."""
    encoder = FrameEncoder(path, 64, 64, 10, options)
    for _ in range(frames):
        encoder.write(NOISE)
    return encoder


def test_what_it_complains_of_is_told_and_all_of_it_logged(tmp_path, caplog):
    with pytest.raises(OSError, match="the encoder said “.*preset 'unheard-of'”$"):
        fed(tmp_path / "a.mkv", [*H264, "-preset", "unheard-of"], frames=1000)
    assert "Error while opening encoder" in caplog.text and str(tmp_path) not in caplog.text


def test_what_went_wrong_after_the_last_frame_is_told_too(tmp_path):
    """A few small frames lie in the pipe before it has looked at them, so that no write fails."""
    encoder = fed(tmp_path / "a.mkv", [*H264, "-f", "unheard-of"], frames=1)
    with pytest.raises(OSError, match="the encoder said “.*unheard-of"):
        encoder.finish()


def test_one_that_is_killed_says_so(tmp_path):
    encoder = fed(tmp_path / "a.mkv", H264)
    os.kill(encoder._process.pid, signal.SIGKILL)
    with pytest.raises(OSError, match=r"ended from outside \(signal SIGKILL\)"):
        encoder.finish()


def test_one_that_is_stopped_is_gone_at_once_and_complains_of_nothing(tmp_path, caplog):
    encoder = fed(tmp_path / "a.mkv", H264)
    encoder.stop()
    encoder.stop()
    assert encoder._process.returncode == -signal.SIGKILL and caplog.text == ""
