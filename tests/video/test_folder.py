"""A folder of frames has the rate that it is given, else its own times, else one that is told."""

from __future__ import annotations

import cv2
import imageio.v3 as iio
import numpy as np
import pytest

from mgld.video import VideoWriter, probe, read_frames
from tests import media


def folder_of(path, count: int, times_ms: list[float] | None = None):
    path.mkdir()
    for i, rgb in enumerate(media.coded_frames(count)):
        iio.imwrite(path / f"f{i:03d}.png", rgb)
    if times_ms is not None:
        (path / "times.txt").write_text("# timestamp format v2\n" + "\n".join(map(str, times_ms)))
    return path


def times(path, **options) -> list[float]:
    return [f.time_s for f in read_frames(path, **options)]


def test_a_rate_can_be_given(tmp_path):
    path = folder_of(tmp_path / "a", 5)
    assert times(path, fps=10) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert (probe(path, fps=10).fps, probe(path, fps=10).notes) == (10, ())


def test_an_assumed_rate_is_told(tmp_path):
    path = folder_of(tmp_path / "a", 3)
    assert times(path) == pytest.approx([0, 0.04, 0.08])
    assert "25 frames per second assumed" in probe(path).notes[0]


def test_variable_times_survive_a_folder(tmp_path):
    moments = [0, 0.04, 0.08, 0.5, 0.54, 1.2]
    with VideoWriter(tmp_path / "frames", 25) as writer:
        for rgb, moment in zip(media.coded_frames(6), moments, strict=True):
            writer.write(rgb, moment)
    assert times(tmp_path / "frames") == pytest.approx(moments)
    assert probe(tmp_path / "frames").variable_rate and not probe(tmp_path / "frames").notes
    assert [media.number_of(f.rgb_u8) for f in read_frames(tmp_path / "frames", start_s=0.5)] == [3, 4, 5]


@pytest.mark.parametrize("lines", [[0, 40], [0, 80, 40], ["x"] * 3, ["nan"] * 3, [], [0, 40, 1e308]])
def test_times_that_cannot_be_are_not_used(tmp_path, lines):
    path = folder_of(tmp_path / "a", 3, lines)
    assert times(path) == pytest.approx([0, 0.04, 0.08])
    assert any("assumed" in note for note in probe(path).notes)


def test_sixteen_bits_are_told_to_become_eight(tmp_path):
    (tmp_path / "a").mkdir()
    iio.imwrite(tmp_path / "a" / "f.png", np.full((48, 64), 40000, np.uint16))
    assert probe(tmp_path / "a", fps=10).notes == ("16 bits per colour become 8",)


def test_sixteen_bits_of_every_colour_are_told_to_become_eight(tmp_path):
    (tmp_path / "a").mkdir()
    cv2.imwrite(str(tmp_path / "a" / "f.png"), np.full((48, 64, 3), (10_000, 20_000, 40_000), np.uint16))
    assert probe(tmp_path / "a", fps=10).notes == ("16 bits per colour become 8",)
    (frame,) = read_frames(tmp_path / "a")
    assert np.abs(frame.rgb_u8[0, 0] - np.array([40_000, 20_000, 10_000]) / 257).max() <= 1
