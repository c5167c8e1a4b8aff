"""A zip of frames is a clip; what else a zip can be is refused in a sentence."""

from __future__ import annotations

import io
import stat
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mgld.constants import LIMITS
from mgld.errors import UserError
from mgld.video import VideoWriter, archive, probe, read_frames
from tests import media


def png(number: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(media.coded_frames(number + 1)[number]).save(file, "PNG")
    return file.getvalue()


def zipped(path, entries: dict[str, bytes], **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as made:
        for name, data in entries.items():
            made.writestr(name, data)
    return path


def numbers(path) -> list[int]:
    return [media.number_of(f.rgb_u8) for f in read_frames(path)]


def test_an_entry_without_a_name_is_not_looked_at(tmp_path):
    """Found by the fuzz lane: a name that begins with a zero byte is empty."""
    path = zipped(tmp_path / "a.zip", {"f1.png": png(1), "Xotes.txt": b"", "f2.png": png(2)})
    path.write_bytes(path.read_bytes().replace(b"Xotes.txt", b"\0otes.txt"))
    assert numbers(path) == [1, 2]


def test_frames_come_in_natural_order_from_the_folder_inside(tmp_path):
    entries = {f"clip/f{i}.png": png(i) for i in (10, 2, 1)}
    path = zipped(
        tmp_path / "a.zip", entries | {"__MACOSX/clip/._f1.png": b"", "clip/.hidden.png": b"", "read me.txt": b""}
    )
    assert numbers(path) == [1, 2, 10]
    known = probe(path, fps=10)
    assert (known.width, known.height, known.fps, known.frame_count, known.has_audio) == (64, 48, 10, 3, False)


def test_a_folder_that_this_program_wrote_keeps_its_times_in_a_zip(tmp_path):
    with VideoWriter(tmp_path / "frames", fps=10) as writer:
        for rgb, time_s in zip(media.coded_frames(3), (0.0, 0.2, 0.9), strict=True):
            writer.write(rgb, time_s)
    entries = {p.name: p.read_bytes() for p in (tmp_path / "frames").iterdir()}
    path = zipped(tmp_path / "a.zip", entries)
    assert [f.time_s for f in read_frames(path)] == pytest.approx([0, 0.2, 0.9])


def test_a_result_can_be_made_of_it_though_it_has_no_sound(tmp_path):
    path = zipped(tmp_path / "a.zip", {f"{i}.png": png(i) for i in range(3)})
    with VideoWriter(tmp_path / "b.mp4", fps=10, audio_from=path) as writer:
        for frame in read_frames(path):
            writer.write(frame.rgb_u8, frame.time_s)
    assert numbers(tmp_path / "b.mp4") == [0, 1, 2]


def test_names_never_become_paths_and_links_are_left_out(tmp_path):
    outside = tmp_path / "secret.png"
    outside.write_bytes(png(7))
    link = zipfile.ZipInfo("frames/0.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(link, str(outside))
        made.writestr("frames/1.png", png(1))
    before = sorted(tmp_path.iterdir())
    assert numbers(path) == [1]
    assert numbers(
        zipped(tmp_path / "b.zip", {"/etc/f1.png": png(1), "/etc/f2.png": png(2), "../../f3.png": png(3)})
    ) == [1, 2]
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / "b.zip"])  # nothing was unpacked


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({}, "holds no PNG"),
        ({"inner.zip": b"PK\x03\x04"}, "archives inside it are not opened"),
        ({"a/1.png": b"", "b/1.png": b""}, "in several folders"),
        ({"1.png": b"no picture"}, "The picture .*1.png in .*a.zip is damaged"),
    ],
)
def test_what_is_no_clip_is_refused_by_name(tmp_path, entries, said):
    with pytest.raises(UserError, match=said):
        probe(zipped(tmp_path / "a.zip", entries))


def test_a_password_a_torn_file_and_damage_inside_are_told(tmp_path):
    path = zipped(tmp_path / "a.zip", {"1.png": png(1)})
    whole = path.read_bytes()
    locked = bytearray(whole)
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[whole.index(signature) + flags] |= archive.ENCRYPTED
    torn, damaged = whole[: len(whole) // 2], whole.replace(png(1)[:16], bytes(16))
    damaged = bytearray(whole)
    damaged[45:55] = bytes(10)
    for data, said in ((locked, "password"), (torn, "damaged or incomplete"), (damaged, "1.png in .* is damaged")):
        path.write_bytes(data)
        with pytest.raises(UserError, match=said):
            probe(path)


def test_pictures_are_counted_and_weighed_before_anything_is_decompressed(tmp_path, monkeypatch):
    path = zipped(tmp_path / "a.zip", {f"{i}.png": bytes(2**20) for i in range(4)})
    monkeypatch.setattr(archive, "LIMITS", replace(LIMITS, archive_pictures=3))
    with pytest.raises(UserError, match="at most 3 pictures"):
        archive.opened(path)
    monkeypatch.setattr(archive, "LIMITS", replace(LIMITS, picture_bytes=2**20 - 1))
    with pytest.raises(UserError, match="at most 0 MB a picture"):
        archive.opened(path)


def test_names_inside_an_archive_cannot_speak_to_a_terminal(tmp_path):
    with pytest.raises(UserError, match=r"^The picture \[2J]0;x.png in ") as refused:
        probe(zipped(tmp_path / "a.zip", {"\x1b[2J\x1b]0;x\x07.png": b"no picture"}))
    assert str(refused.value).isprintable()


def test_a_picture_that_unpacks_to_more_pixels_than_allowed_is_refused_from_its_header(tmp_path):
    file = io.BytesIO()
    Image.fromarray(np.zeros((20_000, 16, 3), np.uint8)).save(file, "PNG")
    with pytest.raises(UserError, match="one side may be at most 8 times the other"):
        probe(zipped(tmp_path / "a.zip", {"1.png": file.getvalue()}))
