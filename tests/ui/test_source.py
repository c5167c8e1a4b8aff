"""Pictures become a clip, and what was understood of a clip is shown beside it."""

from __future__ import annotations

import gradio as gr
import pytest
from PIL import Image

from mgld.ui import planning, source, words
from mgld.video import read_frames
from tests import media


def pictures(folder, numbers: tuple[int, ...]) -> list[str]:
    for number in numbers:
        Image.fromarray(media.coded_frames(number + 1)[number]).save(folder / f"f{number}.png")
    return [str(folder / f"f{number}.png") for number in numbers]


def test_chosen_pictures_are_a_clip_in_natural_order_and_leave_nothing_behind(tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    made = source.gathered([*pictures(tmp_path, (10, 2, 1)), str(tmp_path / "notes.txt")])
    path = next(made)
    assert path.endswith("/f10 and 2 more.zip")
    assert [media.number_of(f.rgb_u8) for f in read_frames(path)] == [1, 2, 10]
    made.close()
    with pytest.raises(StopIteration):
        next(made)
    assert not (tmp_path / path).exists()


def test_files_that_are_no_pictures_or_too_many_are_refused(tmp_path, monkeypatch):
    with pytest.raises(gr.Error, match="None of these files is a PNG"):
        next(source.gathered([str(tmp_path / "a.txt")]))
    monkeypatch.setattr(source, "UPLOAD_BYTES", 100)
    with pytest.raises(gr.Error, match="larger than 0 MB"):
        next(source.gathered(pictures(tmp_path, (1, 2))))


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_a_clip_has_a_poster_and_a_frame_to_draw_on(tmp_path, name):
    frames = [Image.fromarray(rgb) for rgb in media.coded_frames(6)]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=100, loop=0)
    frame, poster = planning.framed(str(tmp_path / name), 0, "")
    assert frame.caption.startswith("64×48 of 64×48 pixels")
    assert 'src="data:image/webp;base64,' in poster and "64×48 pixels, 0.6 s, 10 frames per second" in poster


def test_without_a_clip_it_says_what_can_come_and_a_refused_one_has_none(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"%PDF-1.7")
    assert planning.framed(None, 0, "") == (None, source.no_poster()) and words.CLIP_KINDS in source.no_poster()
    assert planning.framed(str(tmp_path / "a.mp4"), 0, "") == (None, "")


@pytest.mark.parametrize("index", [float("inf"), -1, 99, True, "0", None, [0]])
def test_what_is_no_place_in_the_list_of_examples_changes_nothing(index):
    assert source.example(index) == gr.skip() and source.example(0).endswith(".mp4")
