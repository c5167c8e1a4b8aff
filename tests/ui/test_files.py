"""The list of files as the browser gets it."""

from __future__ import annotations

from mgld.comparison.takeaway import Takeaway
from mgld.ui import files, words
from tests.comparison.outcomes import outcome


def test_files_come_with_names_sizes_pictures_and_one_zip(tmp_path):
    taken = Takeaway(outcome(tmp_path))
    shown = files.listed(taken)
    first, last = shown.files[0], shown.files[-1]
    assert (
        first.name == "Comparison, all layers labelled" and first.told.startswith("MP4, ") and first.told.endswith("KB")
    )
    assert first.picture.startswith("data:image/webp;base64,") and last.picture == ""
    assert first.file.orig_name == "comparison.mp4" and shown.everything.orig_name == "mgld-reef.zip"
    assert shown.told.startswith("Download all (8 files, ZIP, ")


def test_what_is_too_large_for_a_zip_says_so(tmp_path):
    taken = Takeaway(outcome(tmp_path))
    taken.archive = None
    shown = files.listed(taken)
    assert (
        shown.everything is None
        and shown.told == "8 files. Together they are larger than 2.1 GB: take them one by one."
    )


def test_sizes_are_said_as_a_person_would():
    said = [words.size(count) for count in (0, 310_400, 1_240_000, 12_400_000, 2_000_000_000)]
    assert said == ["1 KB", "310 KB", "1.2 MB", "12 MB", "2.0 GB"]
