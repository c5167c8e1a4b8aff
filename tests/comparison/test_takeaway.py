"""Files to take home: all there, told apart by their names, in one zip, and gone with the comparison."""

from __future__ import annotations

import gc
import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mgld.comparison import takeaway
from mgld.comparison.report import Line
from mgld.comparison.takeaway import Takeaway
from mgld.ui.files import listed
from mgld.video import probe, read_frames, writer
from mgld.video.sandbox import ask
from tests import media
from tests.comparison.outcomes import FRAMES, HEIGHT, WIDTH, outcome

NAMES = {
    "comparison.mp4": "Comparison, all layers labelled",
    "per_frame.mp4": "Per-frame (no guidance) alone",
    "mgld.mp4": "MGLD alone",
    "frames.png": "Frame 3, all layers labelled",
    "profile.png": "Temporal profile at row 48",
    "curves.png": "Flicker and sharpness, frame by frame",
    "report.html": "Report as a page",
    "report.json": "Report as data",
}


@pytest.fixture
def taken(tmp_path) -> Takeaway:
    return Takeaway(outcome(tmp_path))


def contents(taken: Takeaway) -> dict[str, bytes]:
    with zipfile.ZipFile(taken.archive) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_every_file_has_a_name_of_its_own_and_pictures_of_pictures(taken):
    assert {file.path.name: file.name for file in taken.files} == NAMES
    small = {file.path.suffix: file.thumbnail for file in taken.files}
    assert small[".html"] is None and small[".json"] is None
    for suffix in (".mp4", ".png"):
        picture = Image.open(io.BytesIO(small[suffix]))
        assert picture.format == "WEBP" and max(picture.size) <= takeaway.THUMBNAIL_PX
    known = probe(taken.files[2].path)
    assert (known.width, known.height, known.frame_count, known.has_audio) == (WIDTH, HEIGHT, FRAMES, True)


def test_the_source_is_looked_at_once_for_all_videos_of_a_kind(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        writer, "ask", lambda task, *given, **details: asked.append(task) or ask(task, *given, **details)
    )
    Takeaway(outcome(tmp_path)).add_lossless()
    assert sorted(asked) == ["mux"] * 5 + ["plan"] * 2


def test_videos_say_what_of_the_source_they_could_not_keep(tmp_path):
    made = outcome(tmp_path)
    (tmp_path / "words.srt").write_text("1\n00:00:00,000 --> 00:00:00,300\nHello\n")
    titled = tmp_path / "titled.mkv"
    media.ffmpeg(
        "-i", str(made.request.clip), "-i", str(tmp_path / "words.srt"), "-c", "copy", "-c:a", "flac", str(titled)
    )
    taken = Takeaway(replace(made, request=replace(made.request, clip=titled)))
    lost = ("sound converted from flac to AAC", "not kept: subtitles (subrip)")
    assert [f.notes for f in taken.files] == [lost] * 3 + [()] * 5
    assert listed(taken).files[0].told.endswith(" KB · " + " · ".join(lost))
    taken.add_lossless()
    assert taken.files[-1].notes == ()


def test_the_zip_holds_the_list_in_one_folder(taken):
    assert taken.archive.name == "mgld-reef.zip"
    assert contents(taken) == {f"mgld-reef/{f.path.name}": f.path.read_bytes() for f in taken.files}


def test_lossless_videos_join_the_list_and_the_zip_once(taken):
    taken.add_lossless()
    taken.add_lossless()
    added = [file for file in taken.files if file.path.suffix == ".mkv"]
    assert [file.name for file in added] == [
        "Per-frame (no guidance) alone, without loss (FFV1)",
        "MGLD alone, without loss (FFV1)",
    ]
    assert len(contents(taken)) == len(taken.files) == len(NAMES) + 2
    shown = np.stack([f.rgb_u8 for f in read_frames(added[1].path)])
    assert np.array_equal(shown, taken._outcome.layers["mgld"])


def test_a_report_at_another_line_takes_the_place_of_the_first(taken):
    before = contents(taken)
    taken.move_line(Line("y", 0.25))
    after = contents(taken)
    assert [f.name for f in taken.files] == [
        *list(NAMES.values())[:4],
        "Temporal profile at column 32",
        *list(NAMES.values())[5:],
    ]
    changed = {name.split("/")[1] for name in after if after[name] != before[name]}
    assert changed == {"profile.png", "report.html"}


def test_more_than_a_zip_may_hold_is_left_to_be_taken_one_by_one(tmp_path, monkeypatch):
    monkeypatch.setattr(takeaway, "TAKEN_BYTES", 1000)
    taken = Takeaway(outcome(tmp_path))
    assert taken.archive is None and len(taken.files) == len(NAMES)


def test_the_folder_goes_with_the_comparison(tmp_path):
    taken = Takeaway(outcome(tmp_path))
    folder = taken.files[0].path.parent
    assert folder.is_dir()
    del taken
    gc.collect()
    assert not folder.exists()


def test_names_from_outside_never_become_paths(tmp_path):
    taken = Takeaway(outcome(tmp_path, "..%2f & co.mp4"))
    assert taken.archive.name == "mgld-..-2f---co.zip"
    assert {name.count("/") for name in contents(taken)} == {1}


def test_the_labels_of_the_written_comparison_can_be_read_on_their_plate(taken):
    frame = list(read_frames(taken.files[0].path))[1].rgb_u8.astype(int)
    plate = frame[2:6, 2 : WIDTH // 2]
    assert frame.shape[:2] == (HEIGHT, 3 * WIDTH) and plate.mean() < 45  # dark, whatever noise lies under it
    assert frame[:20, : WIDTH - 4].max() > 200  # white letters
