"""Hostile and hopeless files: a clip or one plain sentence, within bounds, and nothing else happens."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import numpy as np
import pytest

from mgld.constants import LIMITS
from mgld.errors import UserError
from mgld.video import probe, read_frames
from tests import media

NOISE = np.random.default_rng(0)


def refusal(path) -> str:
    """Return the sentence with which a file is refused, by both who look at it."""
    told = []
    for look in (probe, lambda p: list(read_frames(p))):
        with pytest.raises(UserError) as caught:
            look(path)
        told.append(str(caught.value))
    assert told[0] == told[1] and path.name in told[0]
    return told[0]


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "is empty"),
        (b"<html>" + b"hello " * 99, "is a web page, not a clip"),
        (b"hello, I am not a video\n" * 20, "is a text file, not a clip"),
        (NOISE.bytes(5000), "not a video"),
        (b"\0" * 5000, "not a video"),
        (b"GIF89a\x01", "not a video"),
        (b"RIFF\x10\0\0\0WEBPVP8X" + b"\xff" * 20, "may|not a video|more than"),
        (b"\x89PNG\r\n\x1a\n" + b"\xff" * 50, "not a video"),
        (b"\0\0\0\x18ftypmp42" + NOISE.bytes(500), "incomplete"),
        (b"\x1aE\xdf\xa3" + NOISE.bytes(500), "not a video"),
        (b"\0\0\0\1\x67" + NOISE.bytes(500), "not a video"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path, content, word):
    (tmp_path / "a.mp4").write_bytes(content)
    assert re.search(word, refusal(tmp_path / "a.mp4"))


def flipped(path, share: float):
    """Flip bits in the pictures of a .mkv, not in its header."""
    data = bytearray(path.read_bytes())
    for at in np.random.default_rng(1).integers(len(data) // 4, len(data) - 100, round(len(data) * share)):
        data[at] ^= 0x55
    path.write_bytes(data)
    return path


def test_flipped_bits_are_salvaged_and_told(tmp_path):
    noise = list(NOISE.integers(0, 256, (24, 48, 64, 3), np.uint8))
    path, notes = flipped(media.make_video(tmp_path / "a.mkv", noise), 2e-4), []
    frames = list(read_frames(path, notes=notes))
    assert 1 <= len(frames) <= 24 and re.match(r"damaged from \d\.\d\d s on", notes[0])


def test_a_whole_file_is_not_called_damaged(tmp_path):
    for name in ("a.mp4", "a.mkv", "a.ts", "a.mov"):
        notes = []
        path = media.make_video(tmp_path / name, media.coded_frames(30), sound_s=1.0)
        assert len(list(read_frames(path, notes=notes))) == 30 and not notes
        assert len(list(read_frames(path, start_s=0.5, notes=notes))) >= 17 and not notes


def test_a_stream_that_begins_midway_costs_nothing(tmp_path):
    """As in recordings whose microphone is switched on late: later than libav looks for streams, 90 s."""
    path = tmp_path / "a.flv"
    media.ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x48:r=1:d=120", "-c:v", "flv", "-g", "1", str(path))
    data = path.read_bytes()
    samples = b"\x3e" + bytes(200)  # 16-bit sound, mono
    at_ms = (119_500).to_bytes(3, "big") + b"\0"
    tag = b"\x08" + len(samples).to_bytes(3, "big") + at_ms + bytes(3) + samples
    path.write_bytes(data + tag + (len(tag)).to_bytes(4, "big"))
    assert len(list(read_frames(path))) == 120


def test_lost_packets_are_counted(tmp_path):
    path = media.make_video(tmp_path / "a.avi", list(NOISE.integers(0, 256, (10, 48, 64, 3), np.uint8)), codec="mjpeg",
                            pixels="yuvj420p")  # fmt: skip
    data = bytearray(path.read_bytes())
    starts = [found.start() for found in re.finditer(b"00dc....\xff\xd8", bytes(data), re.DOTALL)]
    for start in starts[4:7]:
        data[start + 8 : start + 2000] = b"\0" * 1992
    path.write_bytes(data)
    notes = []
    assert len(list(read_frames(path, notes=notes))) == 7
    assert notes == ["damaged from 0.16 s on (3 of 10 packets gave no picture): what could be saved is shown"]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 2), (15, 64)])
def test_a_tiny_picture_is_refused(tmp_path, height, width):
    path = media.make_raw(tmp_path / "a.mkv", [media.flat((9, 9, 9), height, width)], "bgr0", "-c:v", "ffv1")
    assert "at least 16×16" in refusal(path)


def test_a_ribbon_is_refused(tmp_path):
    path = media.make_video(tmp_path / "a.mp4", media.coded_frames(2, 16, 2000))
    assert "at most 8 times" in refusal(path)


PEAK = """import re, sys
from mgld.errors import UserError
from mgld.video import decode
try: decode.probe(__import__("pathlib").Path(sys.argv[1]))
except UserError as error: print(error)
print(int(re.search("VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) // 1024)"""


def probed_alone(path) -> tuple[str, int]:
    """Probe in a process of its own; return the sentence and the peak of resident memory, MiB."""
    if not sys.platform.startswith("linux"):
        pytest.skip("reads the peak as Linux shows it")
    done = subprocess.run([sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True)
    sentence, peak = done.stdout.splitlines()
    return sentence, int(peak)


def test_8k_is_refused_from_its_header(tmp_path):
    path = tmp_path / "a.mp4"
    media.ffmpeg("-f", "lavfi", "-i", "color=s=7680x4320:d=0.08", "-preset", "ultrafast", str(path))
    sentence, peak_mb = probed_alone(path)
    assert "7680×4320" in sentence and peak_mb < 250
    assert refusal(path) == sentence


@pytest.mark.parametrize("side", [20_000, 60_000])
def test_a_gif_canvas_takes_no_memory(tmp_path, side):
    size = side.to_bytes(2, "little") * 2
    header = b"GIF89a" + size + b"\xf0\0\0" + b"\0\0\0\xff\xff\xff" + b"\x2c\0\0\0\0" + size
    (tmp_path / "a.gif").write_bytes(header + b"\0\x02\x02\x44\x01\0\x3b")
    assert probed_alone(tmp_path / "a.gif")[1] < 250


def test_a_header_that_is_smaller_than_its_pictures_is_refused(tmp_path):
    """The track says 64×48, the stream holds 4096×4096."""
    path = tmp_path / "a.mkv"
    media.ffmpeg("-f", "lavfi", "-i", "color=s=4096x4096:d=0.08", "-preset", "ultrafast", str(path))
    said = b"\xb0\x82\x10\x00\xba\x82\x10\x00"  # width and height of the track, two bytes each
    assert said in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(said, b"\xb0\x82\x00\x40\xba\x82\x00\x30"))
    assert "more than can be enlarged" in refusal(path)


@pytest.mark.parametrize(("transfer", "name"), [("smpte2084", "PQ"), ("arib-std-b67", "HLG")])
def test_hdr_is_refused_by_its_name(tmp_path, transfer, name):
    plain = media.make_video(tmp_path / "a.mp4", media.coded_frames(3))
    media.ffmpeg("-i", str(plain), "-vf", f"setparams=color_trc={transfer}", str(tmp_path / "hdr.mp4"))
    assert name in refusal(tmp_path / "hdr.mp4")


@pytest.mark.parametrize("fps", [1000, 200, 0.1, 0.02])
def test_absurd_rates_keep_their_times(tmp_path, fps):
    times = [i / fps for i in range(4)]
    path = media.make_video(tmp_path / "a.mp4", media.coded_frames(4), fps=25, times_s=times)
    assert LIMITS.lowest_fps <= probe(path).fps <= LIMITS.highest_fps
    assert [f.time_s for f in read_frames(path)] == pytest.approx(times, abs=1e-3)


def test_a_raw_stream_without_times_is_refused(tmp_path):
    plain = media.make_video(tmp_path / "a.mp4", media.coded_frames(3))
    media.ffmpeg("-i", str(plain), "-c", "copy", "-bsf:v", "h264_mp4toannexb", str(tmp_path / "a.264"))
    assert "not a video" in refusal(tmp_path / "a.264")


def test_times_that_begin_below_zero_or_run_back_come_out_growing(tmp_path):
    path = media.make_video(tmp_path / "a.mkv", media.coded_frames(12), fps=10)
    late = tmp_path / "late.mkv"
    media.ffmpeg("-itsoffset", "-0.5", "-i", str(path), "-c", "copy", "-avoid_negative_ts", "disabled", str(late))
    assert [media.number_of(f.rgb_u8) for f in read_frames(late)][-1] == 11
    data, was = path.read_bytes(), b"\x81" + (500).to_bytes(2, "big") + b"\x00"
    assert data.count(was) == 1
    path.write_bytes(data.replace(was, b"\x81" + (300).to_bytes(2, "big") + b"\x00"))
    times = [f.time_s for f in read_frames(path)]
    assert len(times) == 12 and (np.diff(times) > 0).all()


def test_cover_art_is_no_video(tmp_path):
    both = media.make_video(tmp_path / "a.mp4", media.coded_frames(5), sound_s=0.2)
    media.ffmpeg("-i", str(both), "-frames:v", "1", str(tmp_path / "cover.jpg"))
    for name in ("a.m4a", "a.mp3"):
        codec = ["-c:a", "aac" if name == "a.m4a" else "libmp3lame", "-c:v", "copy", "-disposition:v", "attached_pic"]
        media.ffmpeg("-i", str(both), "-i", str(tmp_path / "cover.jpg"), "-map", "0:a", "-map", "1:v", *codec,
                     str(tmp_path / name))  # fmt: skip
        assert re.search("holds no video|is a sound file", refusal(tmp_path / name))


def test_an_unknown_codec_is_refused(tmp_path):
    path = media.make_video(tmp_path / "a.mp4", media.coded_frames(3))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz1"))
    assert "no video" in refusal(path) or "not a video" in refusal(path)


def test_subtitles_alone_are_no_video(tmp_path):
    (tmp_path / "a.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    media.ffmpeg("-i", str(tmp_path / "a.srt"), str(tmp_path / "a.mkv"))
    assert refusal(tmp_path / "a.mkv")


def test_hundreds_of_streams_are_not_looked_at(tmp_path):
    plain = str(media.make_video(tmp_path / "a.mkv", media.coded_frames(2)))
    media.ffmpeg("-i", plain, *["-map", "0:v"] * 120, "-c", "copy", str(tmp_path / "many.mkv"))
    assert "120 streams" in refusal(tmp_path / "many.mkv")


def test_an_hour_costs_only_the_frames_that_are_wanted(tmp_path):
    path = tmp_path / "a.mp4"
    media.ffmpeg("-f", "lavfi", "-i", "color=s=64x48:r=5:d=3600", "-preset", "ultrafast", "-g", "250", str(path))
    before = time.process_time(), time.monotonic()
    assert probe(path).duration_s == pytest.approx(3600, abs=1)
    assert len(list(read_frames(path, start_s=3000, max_frames=10))) == 10
    assert time.process_time() - before[0] < 1 and time.monotonic() - before[1] < 20
