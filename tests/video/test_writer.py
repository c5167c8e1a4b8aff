"""What is written is whole, true to colour and time, and heard; or it is not there at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from mgld.errors import UserError
from mgld.video import VideoWriter, probe, read_frames
from mgld.video.writer import LOOKED_AT, WORST_GIF, WORST_H264, WORST_LOSSLESS
from tests import media


def write(path, frames, fps=10.0, times_s=None, **options):
    with VideoWriter(path, fps, **options) as writer:
        for i, rgb in enumerate(frames):
            writer.write(rgb, times_s[i] if times_s else i / fps)
    return path


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
def test_h264_plays_elsewhere_with_true_colours(tmp_path, name):
    frames = [media.flat(c) for c in media.PATCHES]
    path = write(tmp_path / name, frames)
    seen = media.ffmpeg_decode(path, 48, 64)
    assert np.abs(seen.mean((1, 2)) - media.PATCHES).max() <= 2
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)


def test_what_somebody_waits_to_see_is_searched_less_and_as_true(tmp_path):
    frames = [media.flat(c) for c in media.PATCHES]
    kept, looked_at = write(tmp_path / "kept.mp4", frames), write(tmp_path / "at.mp4", frames, preset=LOOKED_AT)
    assert b" subme=7 " in kept.read_bytes() and b" subme=2 " in looked_at.read_bytes()  # x264 writes its settings down
    assert np.abs(media.ffmpeg_decode(looked_at, 48, 64).mean((1, 2)) - media.PATCHES).max() <= 2


def test_index_stands_before_the_pictures(tmp_path):
    data = write(tmp_path / "a.mp4", media.coded_frames(5)).read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_lossless_is_lossless(tmp_path):
    frames = list(np.random.default_rng(0).integers(0, 256, (4, 48, 64, 3), np.uint8))
    for path in (tmp_path / "a.mkv", tmp_path / "frames"):
        write(path, frames, lossless=path.suffix == ".mkv")
        assert all(np.array_equal(f.rgb_u8, rgb) for f, rgb in zip(read_frames(path), frames, strict=True))


def test_variable_times_are_kept(tmp_path):
    times = [0, 0.04, 0.08, 0.5, 0.54, 1.2]
    path = write(tmp_path / "a.mp4", media.coded_frames(6), fps=25, times_s=times)
    assert [f.time_s for f in read_frames(path)] == pytest.approx(times, abs=1e-3)


@pytest.mark.parametrize(("source", "codec"), [("a.mp4", "aac"), ("a.webm", "libopus")])
def test_sound_is_kept(tmp_path, source, codec):
    picture_codec = "libvpx" if source.endswith("webm") else "libx264"
    frames = media.coded_frames(20)
    src = media.make_video(tmp_path / source, frames, 10, codec=picture_codec, sound_s=2.0, sound_codec=codec)
    out = write(tmp_path / "out.mp4", frames, audio_from=src)
    with av.open(str(out)) as container:
        track = container.streams.audio[0]
        assert track.codec_context.name == "aac"
        assert float(track.duration * track.time_base) == pytest.approx(2.0, abs=0.08)


def test_sound_starts_where_the_picture_does(tmp_path):
    src = media.make_video(tmp_path / "a.mp4", media.coded_frames(20), 10, sound_s=2.0)
    out = write(tmp_path / "out.mp4", media.coded_frames(5), audio_from=src, start_s=1.0)
    with av.open(str(out)) as container:
        track = container.streams.audio[0]
        assert float(track.duration * track.time_base) == pytest.approx(0.5, abs=0.08)


def test_odd_sides_are_padded_for_h264(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 10) as writer:
        writer.write(media.flat((9, 9, 9), 49, 67), 0.0)
    assert (probe(tmp_path / "a.mp4").height, probe(tmp_path / "a.mp4").width) == (50, 68)
    assert writer.notes == ["padded to even sides: 68 x 50 pixels"]


def test_gif_keeps_durations(tmp_path):
    path = write(tmp_path / "a.gif", media.coded_frames(4), times_s=[0, 0.1, 0.4, 0.5])
    assert [f.time_s for f in read_frames(path)] == pytest.approx([0, 0.1, 0.4, 0.5], abs=0.011)


def test_nothing_is_left_of_a_failed_run(tmp_path):
    with pytest.raises(RuntimeError), VideoWriter(tmp_path / "a.mp4", 10) as writer:
        writer.write(media.flat((0, 0, 0)), 0.0)
        raise RuntimeError("the model broke")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_a_run_that_is_interrupted_while_it_plans(tmp_path, monkeypatch):
    def interrupted(source, suffix):
        raise KeyboardInterrupt

    monkeypatch.setattr("mgld.video.writer.planned", interrupted)
    with pytest.raises(KeyboardInterrupt), VideoWriter(tmp_path / "a.mp4", 10, audio_from=tmp_path / "source.mp4"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_old_result_survives_a_failed_run(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"old")
    with pytest.raises(ValueError, match="after frames"), VideoWriter(tmp_path / "a.mp4", 10) as writer:
        writer.write(media.flat((0, 0, 0)), 0.0)
        writer.write(media.flat((0, 0, 0), 50, 50), 0.1)
    assert (tmp_path / "a.mp4").read_bytes() == b"old"


def test_bad_names_are_refused_before_any_work(tmp_path):
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("keep")
    for path in (tmp_path / "a.xyz", tmp_path / "no" / "a.mp4", full):
        with pytest.raises(UserError):
            VideoWriter(path, 10)
    with pytest.raises(UserError, match="lossless"):
        VideoWriter(tmp_path / "a.mp4", 10, lossless=True)


def test_fast_gifs_stay_fast_in_browsers(tmp_path):
    times = [f.time_s for f in read_frames(write(tmp_path / "a.gif", media.coded_frames(9), fps=60.0))]
    assert min(np.diff(times)) > 0.0199  # a browser shows a frame of 10 ms for 100 ms


@pytest.mark.parametrize(("fps", "kept"), [(50, 30), (60, 20), (100, 15)])
def test_a_gif_leaves_out_what_it_is_too_slow_for_and_keeps_its_time(tmp_path, fps, kept):
    with VideoWriter(tmp_path / "a.gif", fps) as writer:
        for i, rgb in enumerate(media.coded_frames(30)):
            writer.write(rgb, i / fps)
    shown = {media.number_of(f.rgb_u8): f.time_s for f in read_frames(tmp_path / "a.gif")}
    assert len(shown) == kept and all(time_s == pytest.approx(i / fps, abs=0.006) for i, time_s in shown.items())
    assert probe(tmp_path / "a.gif").duration_s == pytest.approx(30 / fps, abs=0.006)
    note = f"a GIF shows at most 50 frames per second: {30 - kept} of 30 frames are left out"
    assert writer.notes == ([note] if kept < 30 else [])


def test_a_fast_gif_ends_when_its_source_does(tmp_path):
    source = media.make_video(tmp_path / "a.mkv", media.coded_frames(10), 100)
    path = write(tmp_path / "a.gif", media.coded_frames(10), fps=100, audio_from=source)
    with Image.open(path) as gif:
        lengths_ms = [gif.seek(i) or gif.info["duration"] for i in range(gif.n_frames)]
    assert lengths_ms == [20] * 5


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.gif"])
def test_same_frames_same_bytes(tmp_path, name):
    first = write(tmp_path / name, media.coded_frames(5)).read_bytes()
    assert write(tmp_path / name, media.coded_frames(5)).read_bytes() == first


@pytest.mark.parametrize("start_s", [0.0, 1.5])
@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_sound_stays_beside_its_picture(tmp_path, name, start_s):
    """A white frame and a beep, both 2 s into the source, stay together when the beginning is left out."""
    flash = [media.flat((255 if i == 20 else 0,) * 3) for i in range(40)]
    silent = media.make_video(tmp_path / "silent.mp4", flash, 10)
    beep = "aevalsrc='if(gte(t,2)*lt(t,2.1),sin(6283*t),0)':s=44100:d=4"
    source = tmp_path / "source.mov"
    media.ffmpeg("-i", str(silent), "-f", "lavfi", "-i", beep, "-c:v", "copy", "-c:a", "pcm_s16le", str(source))
    frames = list(read_frames(source, start_s=start_s))
    times = [f.time_s for f in frames]
    out = write(tmp_path / name, [f.rgb_u8 for f in frames], times_s=times, audio_from=source, start_s=start_s)
    raw = media.ffmpeg("-i", str(out), "-af", "aresample=async=1:first_pts=0", "-f", "f32le", "-ac", "1", "-").stdout
    heard_s = np.argmax(np.abs(np.frombuffer(raw, np.float32)) > 0.2) / 44100
    assert heard_s == pytest.approx(2.0 - start_s, abs=0.02)
    assert [f.time_s for f in read_frames(out) if f.rgb_u8.mean() > 128] == pytest.approx([2.0 - start_s], abs=2e-3)


def test_an_encoder_that_dies_leaves_nothing(tmp_path, monkeypatch):
    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1])
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    with pytest.raises(UserError, match="signal SIGKILL"), VideoWriter(tmp_path / "a.mp4", 10) as writer:
        for i in range(100):
            writer.write(noise, i / 10)
            if i == 3:
                os.kill(started[-1].pid, signal.SIGKILL)
    assert list(tmp_path.iterdir()) == []


def test_what_the_encoder_complains_of_is_in_the_sentence(tmp_path):
    frames = [media.flat((0, 0, 0))] * 3
    with pytest.raises(UserError, match="a.mp4 could not be written: the encoder said “.*preset 'unheard-of'”.$"):
        write(tmp_path / "a.mp4", frames, preset="unheard-of")
    assert list(tmp_path.iterdir()) == []


def test_an_error_that_is_only_words_keeps_them(tmp_path, monkeypatch):
    def refused(*_):
        raise OSError("so it is\nand more")  # as libraries do, without the system's number

    monkeypatch.setattr("mgld.video.writer.write_times", refused)
    with pytest.raises(UserError, match="could not be written: so it is.$"):
        write(tmp_path / "frames", [media.flat((0, 0, 0))])


def test_impossible_times_and_rates_are_refused(tmp_path):
    with pytest.raises(ValueError, match="fps"):
        VideoWriter(tmp_path / "a.mp4", 0)
    with pytest.raises(ValueError, match="nan"), VideoWriter(tmp_path / "a.mp4", 10) as writer:
        writer.write(media.flat((0, 0, 0)), float("nan"))
    with pytest.raises(UserError, match="no frame"), VideoWriter(tmp_path / "a.mp4", 10):
        pass
    assert list(tmp_path.iterdir()) == []


FULL_DISK = """import resource, signal, sys
import numpy as np
from mgld.errors import UserError
from mgld.video import VideoWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # as a quota: no file may grow further
try:
    with VideoWriter(sys.argv[1], 10) as writer:
        for i in range(40):
            writer.write(np.random.default_rng(i).integers(0, 256, (240, 320, 3), np.uint8), i / 10)
except UserError as error: print(error)"""


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.gif", "frames"])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path, name):
    pytest.importorskip("resource")
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "could not be written" in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_forbids_writing_is_refused_before_the_work(tmp_path, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", refused)
    with pytest.raises(UserError, match="Permission denied"), VideoWriter(tmp_path / "a.mp4", 10):
        pytest.fail("the work began")


@pytest.mark.parametrize(("name", "lossless"), [("a.mp4", False), ("a.mkv", True), ("a.gif", False), ("folder", False)])
def test_what_the_disk_may_not_hold_is_refused_before_the_work(tmp_path, name, lossless):
    writer = VideoWriter(tmp_path / name, 25, lossless=lossless)
    writer.check_room(1, 480, 640)
    with pytest.raises(UserError, match="GB are free"):
        writer.check_room(10**9, 2160, 3840)
    assert list(tmp_path.iterdir()) == []


def test_the_worst_that_a_result_is_thought_to_take_is_not_exceeded(tmp_path):
    """Detail that moves, at the highest rate that people film with; noise alone would be more than any film."""
    rng = np.random.default_rng(0)
    wide = cv2.resize(rng.integers(0, 256, (120, 200, 3), np.uint8), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    frames = [np.ascontiguousarray(wide[:, 4 * i : 4 * i + 320]) for i in range(16)]
    for name, lossless, worst in (
        ("a.mp4", False, WORST_H264),
        ("a.mkv", True, WORST_LOSSLESS),
        ("a.gif", False, WORST_GIF),
    ):
        with VideoWriter(tmp_path / name, 25, lossless=lossless) as writer:
            for i, frame in enumerate(frames):
                writer.write(frame, i / 25)
        taken = (tmp_path / name).stat().st_size / sum(frame[..., 0].size for frame in frames)
        print(f"{name}: {taken:.2f} bytes per pixel")
        assert taken < worst
