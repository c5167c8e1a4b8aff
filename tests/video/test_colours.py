"""Colours of odd sources come out as a player shows them, or a sentence says why not."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageCms

from mgld.errors import UserError
from mgld.video import gamut, probe, read_frames
from tests import media

SKIN_2020, SKIN_709 = (230, 160, 130), (255, 149, 124)  # the same light; 709 cannot show its red


def mean_of(path, **options) -> np.ndarray:
    return next(read_frames(path, **options)).rgb_u8.reshape(-1, 3).mean(0)


@pytest.mark.parametrize(("span", "pixels"), [("tv", "gray"), ("pc", "gray"), ("tv", "gray10le")])
def test_one_plane_of_any_range_is_expanded(tmp_path, span, pixels):
    """HEVC holds grey alone; the levels are written as they are, and tagged."""
    black, white = (16, 235) if span == "tv" else (0, 255)
    stored = [media.flat((level,) * 3)[..., :1] for level in (black, white)]
    path = media.make_raw(
        tmp_path / "a.mp4", stored, pixels, "-c:v", "libx265", "-x265-params", "log-level=none:lossless=1",
        "-vf", f"scale=in_range=pc:out_range=pc,setparams=range={span}", input_pixels="gray",
    )  # fmt: skip
    seen = [f.rgb_u8.mean() for f in read_frames(path)]
    assert seen == [pytest.approx(0, abs=1), pytest.approx(255, abs=1)]


def test_bt2020_is_converted(tmp_path):
    tags = "setparams=color_primaries=bt2020:color_trc=bt709:colorspace=bt2020nc:range=tv"
    to_2020 = "scale=out_color_matrix=bt2020:out_range=tv:flags=accurate_rnd,format=yuv444p10le," + tags
    path = media.make_raw(tmp_path / "a.mp4", [media.flat(SKIN_2020)] * 2, "yuv444p10le", "-vf", to_2020, "-crf", "1")
    assert np.abs(mean_of(path) - SKIN_709).max() <= 2
    assert any("BT.2020" in note for note in probe(path).notes)


@pytest.mark.parametrize("primaries", sorted(gamut.WIDE))
def test_white_stays_white_in_every_gamut(primaries):
    greys = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
    assert np.abs(gamut.to_bt709(greys, primaries).astype(int) - greys).max() <= 1


def test_untagged_hd_is_709_from_1280_columns_on(tmp_path):
    to_709 = "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd,setparams=colorspace=unknown"
    for width, height in ((1280, 544), (640, 720)):
        path = tmp_path / f"{width}.mp4"
        media.make_raw(path, [media.flat((40, 180, 60), height, width)], "yuv420p", "-vf", to_709, "-crf", "1")
        assert np.abs(mean_of(path) - (40, 180, 60)).max() <= 2


@pytest.mark.parametrize("codec", [("-c:v", "libx264", "-crf", "1"), ("-c:v", "ffv1")])
def test_ten_bits_are_told_to_become_eight(tmp_path, codec):
    path = media.make_raw(tmp_path / "a.mkv", [media.flat((200, 40, 40))], "yuv444p10le", *codec)
    assert probe(path).notes == ("10 bits per colour become 8",)


def folder_of(tmp_path, name: str, image: Image.Image, **options):
    folder = tmp_path / "frames"
    folder.mkdir()
    image.save(folder / name, **options)
    return folder


def test_print_colours_are_converted(tmp_path):
    cmyk = Image.fromarray(media.flat((200, 40, 40))).convert("CMYK")
    assert np.abs(mean_of(folder_of(tmp_path, "f.jpg", cmyk, quality=100)) - (200, 40, 40)).max() <= 3


def test_lab_colours_are_converted(tmp_path):
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(Image.fromarray(media.flat((200, 40, 40))), to_lab)
    assert np.abs(mean_of(folder_of(tmp_path, "f.tif", lab)) - (200, 40, 40)).max() <= 3


def test_a_profile_of_its_own_is_obeyed(tmp_path):
    """XYZ primaries as a profile are rare; a profile whose red and blue are swapped is unmistakable."""
    swapped = swapped_profile()
    picture = Image.fromarray(media.flat((200, 40, 60)))
    assert np.abs(mean_of(folder_of(tmp_path, "f.png", picture, icc_profile=swapped)) - (60, 40, 200)).max() <= 3


def swapped_profile() -> bytes:
    """Return sRGB's profile under another name, with the table entries of red and blue exchanged."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(data[128:132], "big")
    for at in range(132, 132 + 12 * count, 12):
        signature = bytes(data[at : at + 4])
        data[at : at + 4] = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}.get(signature, signature)
    return (
        bytes(data)
        .replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))
        .replace(b"sRGB built", b"swap built")
    )


def test_a_broken_profile_is_no_reason_to_lose_the_picture(tmp_path):
    picture = Image.fromarray(media.flat((200, 40, 60)))
    assert np.abs(mean_of(folder_of(tmp_path, "f.png", picture, icc_profile=b"no profile")) - (200, 40, 60)).max() <= 1


def test_colours_that_no_formula_converts_are_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr("mgld.video.icc.BY_FORMULA", set())
    from mgld.video import folder

    cmyk = Image.fromarray(media.flat((200, 40, 40))).convert("CMYK")
    path = folder_of(tmp_path, "f.jpg", cmyk) / "f.jpg"
    with pytest.raises(UserError, match="CMYK"):
        folder.read_picture(path)


def test_interlaced_fields_become_whole_frames(tmp_path):
    """A bar that moves between the two fields combs; deinterlaced, neighbouring lines agree again."""
    fields = []
    for i in range(20):
        rgb = media.flat((0, 0, 0), 64, 96)
        rgb[:, 4 * i : 4 * i + 8] = 255
        fields.append(rgb)
    weave = "tinterlace=mode=interleave_top,setfield=tff"
    path = tmp_path / "i.mp4"
    media.make_raw(path, fields, "yuv420p", "-vf", weave, "-flags", "+ildct+ilme", "-crf", "5")

    def combing(frames) -> float:
        return float(np.mean([np.abs(np.diff(f.rgb_u8[8:-8].astype(int), axis=0)).mean() for f in frames]))

    known, combed, whole = probe(path), list(read_frames(path)), list(read_frames(path, deinterlace=True))
    assert known.interlaced and "interlaced" in known.notes[0]
    assert [f.time_s for f in whole] == [f.time_s for f in combed]
    assert combing(whole) < 0.35 * combing(combed)
