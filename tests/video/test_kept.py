"""What a source carries beside its pictures is in the result, or a note says that it is not."""

from __future__ import annotations

import av
import numpy as np
import pytest

from mgld.video import VideoWriter, mux, probe, read_frames, sound
from tests import media


def rewrite(source, result, start_s: float = 0.0, count: int | None = None) -> list[str]:
    """Write the source's own frames anew; return the writer's notes."""
    frames = read_frames(source, start_s, count)
    with VideoWriter(result, probe(source).fps, audio_from=source, start_s=start_s) as writer:
        for frame in frames:
            writer.write(frame.rgb_u8, frame.time_s)
    return writer.notes


def seconds(path) -> float:
    with av.open(str(path)) as container:
        return container.duration / av.time_base


def sound_times_changed(path, change) -> None:
    """Write a .mkv whose twelfth sound packet has another time than its place tells, as no muxer would write it."""
    media.make_video(path, media.coded_frames(12), 12, sound_s=1.0)
    with av.open(str(path)) as container:
        times = [p.pts for p in container.demux(audio=0) if p.size][:12]
    # track 2, the time since the cluster's beginning (0), and that it is a key frame
    was, becomes = (b"\x82" + t.to_bytes(2, "big") + b"\x80" for t in (times[11], change(times)))
    data = path.read_bytes()
    assert data.count(was) == 1
    path.write_bytes(data.replace(was, becomes))


@pytest.mark.parametrize("change", [lambda times: times[10], lambda times: times[10] - 3], ids=["twin", "back"])
@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_sound_whose_times_run_back_is_repaired(tmp_path, name, change):
    source = tmp_path / "source.mkv"
    sound_times_changed(source, change)
    notes = rewrite(source, tmp_path / name)
    assert notes == ["the sound's times ran back and were repaired"]
    with av.open(str(tmp_path / name)) as container:
        heard = sum(1 for p in container.demux(audio=0) if p.size)
    with av.open(str(source)) as container:
        assert heard == sum(1 for p in container.demux(audio=0) if p.size and p.pts >= 0)
    assert len(list(read_frames(tmp_path / name))) == 12


@pytest.mark.parametrize(
    ("fails", "note", "tracks"), [("copy", "converted to AAC", 1), ("copy transcode", "silent", 0)]
)
def test_sound_that_cannot_be_muxed_never_costs_the_pictures(tmp_path, monkeypatch, fails, note, tracks):
    """The muxing, which else happens in a child, is made to fail here, after the work."""
    source = media.make_video(tmp_path / "a.mp4", media.coded_frames(12), 12, sound_s=1.0)

    def muxed(path, job):
        if job.way in fails.split():
            raise OSError(22, "Invalid argument")
        return list(mux.mux(path, job))[-1]

    monkeypatch.setattr("mgld.video.writer._muxed", muxed)
    notes = rewrite(source, tmp_path / "out.mp4")
    assert len(notes) == 1 and note in notes[0]
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert len(container.streams.audio) == tracks
    assert [media.number_of(f.rgb_u8) for f in read_frames(tmp_path / "out.mp4")] == list(range(12))


def test_a_source_that_vanishes_during_the_work_costs_only_the_sound(tmp_path):
    source = media.make_video(tmp_path / "a.mp4", media.coded_frames(5), 12, sound_s=0.5)
    frames = list(read_frames(source))
    with VideoWriter(tmp_path / "out.mp4", 12, audio_from=source) as writer:
        for frame in frames:
            writer.write(frame.rgb_u8, frame.time_s)
        source.unlink()
    assert len(list(read_frames(tmp_path / "out.mp4"))) == 5
    assert "silent" in writer.notes[-1]


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_a_picture_is_held_as_long_as_its_sound_lasts(tmp_path, name):
    source = media.make_video(tmp_path / "a.mp4", media.coded_frames(1), 1, sound_s=4.0)
    rewrite(source, tmp_path / name)
    assert seconds(tmp_path / name) == pytest.approx(4.0, abs=0.05)


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_the_last_slide_is_held(tmp_path, name):
    slides, source = media.coded_frames(3), tmp_path / "a.mkv"
    media.make_video(source, slides, 1, times_s=[0, 1, 2], sound_s=6.0)
    rewrite(source, tmp_path / name)
    assert seconds(tmp_path / name) == pytest.approx(6.0, abs=0.05)


def test_a_cut_clip_ends_where_it_was_cut(tmp_path):
    source = media.make_video(tmp_path / "a.mp4", media.coded_frames(20), 10, sound_s=6.0)
    rewrite(source, tmp_path / "out.mp4", count=10)
    assert seconds(tmp_path / "out.mp4") == pytest.approx(1.0, abs=0.05)


def test_slides_keep_their_distance_from_any_start(tmp_path):
    source = media.make_video(tmp_path / "a.mkv", media.coded_frames(3), 1, times_s=[0, 3, 4])
    found = [(media.number_of(f.rgb_u8), f.time_s) for f in read_frames(source, start_s=1.0)]
    assert found == [(0, 0.0), (1, pytest.approx(2.0, abs=2e-3)), (2, pytest.approx(3.0, abs=2e-3))]


@pytest.mark.parametrize(("name", "codec"), [("out.mp4", "aac"), ("out.mov", "pcm_s16le")])
def test_surround_sound_stays_surround(tmp_path, name, codec):
    silent = media.make_video(tmp_path / "silent.mp4", media.coded_frames(12), 12)
    tones = "aevalsrc='" + "|".join(f"sin({400 + 100 * i}*t)" for i in range(6)) + "':c=5.1:s=48000:d=1"
    media.ffmpeg(
        "-i", str(silent), "-f", "lavfi", "-i", tones, "-c:v", "copy", "-c:a", "pcm_s16le", str(tmp_path / "a.mov")
    )
    notes = rewrite(tmp_path / "a.mov", tmp_path / name)
    with av.open(str(tmp_path / name)) as container:
        track = container.streams.audio[0]
        assert (track.codec_context.name, track.layout.name) == (codec, "5.1")
    assert notes == ([] if codec == "pcm_s16le" else ["sound converted from pcm_s16le to AAC"])


def film(path):
    """Write a .mkv with two languages, subtitles, chapters and a title."""
    silent = media.make_video(path.with_name("silent.mp4"), media.coded_frames(12), 12)
    words = path.with_name("words.srt")
    words.write_text("1\n00:00:00,100 --> 00:00:00,600\nHello\n")
    told = path.with_name("told.txt")
    chapters = "".join(f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={s}\nEND={s + 500}\ntitle={s}\n" for s in (0, 500))
    told.write_text(";FFMETADATA1\ntitle=My holiday\ncomment=at home\nlocation=+48.1+011.6/\n" + chapters)
    tones = ["-f", "lavfi", "-i", "sine=440:d=1", "-f", "lavfi", "-i", "sine=880:d=1"]
    taken = [*("-map", "0:v"), *("-map", "1:a"), *("-map", "2:a"), *("-map", "3:s"), *("-map_metadata", "4")]
    languages = ["-metadata:s:a:0", "language=deu", "-metadata:s:a:1", "language=fra"]
    media.ffmpeg(
        "-i", str(silent), *tones, "-i", str(words), "-i", str(told), *taken, "-map_chapters", "4", *languages,
        "-c:v", "copy", "-c:a", "aac", "-c:s", "srt", str(path),
    )  # fmt: skip
    return path


@pytest.mark.parametrize("name", ["out.mkv", "out.mp4"])
def test_tracks_languages_chapters_and_title_are_kept(tmp_path, name):
    notes = rewrite(film(tmp_path / "a.mkv"), tmp_path / name)
    with av.open(str(tmp_path / name)) as container:
        assert [s.language for s in container.streams.audio] == ["deu", "fra"]
        assert [c["metadata"]["title"] for c in container.chapters()] == ["0", "500"]
        assert container.metadata["title"] == "My holiday" and not {"comment", "location"} & set(container.metadata)
        words = [s.codec_context.name for s in container.streams.subtitles]
    assert words == (["srt"] if name == "out.mkv" else [])
    assert notes == ([] if name == "out.mkv" else ["not kept: subtitles (subrip)"])


def test_chapters_move_with_the_start(tmp_path):
    rewrite(film(tmp_path / "a.mkv"), tmp_path / "out.mkv", start_s=0.25)
    with av.open(str(tmp_path / "out.mkv")) as container:
        begins = [float(c["start"] * c["time_base"]) for c in container.chapters()]
    assert begins == [0, pytest.approx(0.25, abs=0.05)]


def test_what_pictures_alone_cannot_carry_is_told(tmp_path):
    for name in ("out.gif", "frames/"):
        notes = rewrite(film(tmp_path / "a.mkv"), f"{tmp_path}/{name}")
        assert notes == ["pictures alone are written; not kept: sound, subtitles, chapters"]


@pytest.mark.parametrize("name", ["out.gif", "out.mp4"])
def test_the_last_frame_of_an_animation_is_held(tmp_path, name):
    source = media.animation(tmp_path / "a.gif", media.coded_frames(5), [100, 100, 300, 100, 3000], plays=0)
    rewrite(source, tmp_path / name)
    assert seconds(tmp_path / name) == pytest.approx(3.6, abs=0.02)


@pytest.mark.parametrize("kind", ["a.gif", "a.webp", "a.png"])
@pytest.mark.parametrize("plays", [0, 1, 3])
def test_animations_go_on_playing_as_often(tmp_path, kind, plays):
    source = media.animation(tmp_path / kind, media.coded_frames(4), [100] * 4, plays)
    rewrite(source, tmp_path / "out.gif")
    data = (tmp_path / "out.gif").read_bytes()
    stated = data.find(b"NETSCAPE2.0\x03\x01")
    repeats = int.from_bytes(data[stated + 13 : stated + 15], "little") if stated >= 0 else None
    assert repeats == {0: 0, 1: None, 3: 2}[plays]


def test_sound_with_a_hole_stays_in_time_when_it_is_transcoded(tmp_path):
    """A beep at 0 s and one at 2 s, nothing stored between them."""
    pieces = [np.sin(np.arange(4800) * 0.1), np.sin(np.arange(4800) * 0.1)]
    silent = media.make_video(tmp_path / "silent.mp4", media.coded_frames(30), 10)
    with av.open(str(silent)) as source, av.open(str(tmp_path / "a.mkv"), "w") as out:
        stream, track = out.add_stream_from_template(source.streams.video[0]), out.add_stream("libopus", rate=48000)
        track.layout = "mono"
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
        for wave, at in zip(pieces, (0, 96000), strict=True):
            frame = av.AudioFrame.from_ndarray(wave[None].astype(np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48000, at
            out.mux(track.encode(frame))
        out.mux(track.encode(None))
    rewrite(tmp_path / "a.mkv", tmp_path / "out.mp4")
    raw = media.ffmpeg(
        "-i", str(tmp_path / "out.mp4"), "-af", "aresample=async=1:first_pts=0", "-ar", "48000", "-f", "f32le", "-"
    ).stdout
    loud = np.flatnonzero(np.abs(np.frombuffer(raw, np.float32)) > 0.3) / 48000
    assert loud[loud > 1][0] == pytest.approx(2.0, abs=0.05)
    assert not ((loud > 0.3) & (loud < 1.9)).any()


def test_the_ways_are_tried_in_the_order_of_their_loss():
    assert sound.WAYS == ("copy", "transcode", "silent")


def test_a_source_without_sound_is_silence_without_a_word(tmp_path):
    source = media.make_video(tmp_path / "a.mkv", media.coded_frames(5), 10)
    assert rewrite(source, tmp_path / "out.mp4") == []


@pytest.mark.parametrize(
    ("name", "rate", "layout", "becomes"),
    [
        ("a.avi", 11025, "mono", (11025, "mono")),
        ("a.mkv", 48000, "5.1", (48000, "5.1")),
        ("a.mkv", 7000, "mono", (48000, "mono")),
        ("a.mkv", 192_000, "stereo", (48000, "stereo")),
        ("a.mkv", 48000, "hexadecagonal", None),
    ],
)
def test_sound_whose_channels_are_not_named_is_converted(tmp_path, name, rate, layout, becomes):
    """PCM in AVI and Matroska has a number of channels alone, which no encoder takes."""
    pictures, noise = "testsrc=s=64x48:r=10:d=1", f"anoisesrc=d=1:r={rate}:a=0.5:c=pink"
    channels = ["-af", f"aformat=channel_layouts={layout}", "-c:a", "pcm_s16le"]
    media.ffmpeg("-f", "lavfi", "-i", pictures, "-f", "lavfi", "-i", noise, *channels, str(tmp_path / name))
    notes = rewrite(tmp_path / name, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as out:
        heard = [(s.codec_context.sample_rate, s.codec_context.layout.name) for s in out.streams.audio]
        loud = max((float(np.abs(f.to_ndarray()).max()) for f in out.decode(audio=0)), default=0.0) if heard else 0.0
    if becomes is None:
        assert heard == [] and notes == ["not kept: sound (pcm_s16le)"]
    else:
        assert heard == [becomes] and loud > 0.1 and notes == ["sound converted from pcm_s16le to AAC"]
