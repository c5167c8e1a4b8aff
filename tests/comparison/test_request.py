"""What a visitor may ask for, and what is read for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mgld.comparison import request
from mgld.comparison.asked import Asked, crop_of
from mgld.errors import UserError
from mgld.nets.esrgan import SRVGG
from mgld.video import read_frames
from tests import media


def textured(count: int, height: int, width: int) -> list[np.ndarray]:
    wide = (
        np.random.default_rng(0)
        .integers(0, 256, (height // 8, width // 8 + count, 3), np.uint8)
        .repeat(8, 0)
        .repeat(8, 1)
    )
    return [np.ascontiguousarray(wide[:, 8 * i : 8 * i + width]) for i in range(count)]


@pytest.fixture
def low(tmp_path):
    return media.make_video(tmp_path / "low.mp4", textured(6, 32, 48), fps=10)


@pytest.fixture
def large(tmp_path):
    return media.make_video(tmp_path / "Real-ESRGAN x4.mp4", textured(6, 128, 192), fps=10)


def asked(path, **more) -> request.Request:
    """Return the checked request; degrade_seed stands for the degradation lab."""
    if "degrade_seed" in more:
        more["degrade"] = True
    return request.checked(Asked(**{"clip": str(path), "methods": ["mgld"], "frames": 4, **more}))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"clip": None}, "Choose a clip"),
        ({"methods": []}, "at least one method"),
        ({"methods": ["bicubic"]}, "at least one method"),
        ({"frames": 61}, "from 1 to 60"),
        ({"frames": 2.5}, "from 1 to 60"),
        ({"start_s": float("nan")}, "Start"),
        ({"crop": "1, 2, 3"}, "four numbers"),
        ({"crop": "60, 0, 10, 100"}, "four numbers"),
        ({"truth": "t.mp4", "degrade_seed": 1}, "its own ground truth"),
        ({"others": list("abcde")}, "7 layers"),
        ({"others": ["x4plus.pth"]}, "Weights cannot be uploaded"),
        ({"others": ["clip.mp4", "X4PLUS.SafeTensors"]}, "Weights cannot be uploaded"),
    ],
)
def test_what_cannot_be_worked_on_is_a_sentence(more, said):
    with pytest.raises(UserError, match=said):
        asked("clip.mp4", **more)


def test_a_crop_is_read_as_shares_of_the_frame():
    assert crop_of("10, 20 30.5,40") == (0.1, 0.2, 0.305, 0.4)
    assert crop_of("") is crop_of(None) is crop_of("0,0,100,100") is None


def test_the_plan_says_what_will_be_read(low):
    for more, size in (({}, (32, 48)), ({"crop": "0,0,50,50"}, (16, 24)), ({"start_s": 0.4}, (32, 48))):
        wanted = asked(low, **more)
        plan, material = request.extent_of(wanted), request.read(wanted)
        assert (plan.height, plan.width) == size == material.clip[0].rgb_u8.shape[:2]
        assert plan.frames == len(material.clip)


def test_a_crop_too_small_to_work_on_grows_to_what_is_needed(low):
    assert request.read(asked(low, crop="90,90,91,91")).clip[0].rgb_u8.shape == (16, 16, 3)


def test_large_clips_join_with_their_names_and_are_cut_alike(low, large):
    material = request.read(asked(low, others=[str(large)], truth=str(large), crop="0,0,50,50"))
    assert list(material.given) == ["truth", "Real-ESRGAN x4"]
    assert {g.shape for g in material.given.values()} == {(4, 64, 96, 3)}
    whole = request.read(asked(low, others=[str(large)])).given["Real-ESRGAN x4"]
    assert np.array_equal(material.given["truth"], whole[:, :64, :96])


def test_the_clip_that_was_degraded_is_cut_as_degrade_cut_it(low, tmp_path):
    frames = [np.pad(f, ((0, 7), (0, 2), (0, 0))) for f in textured(6, 128, 192)]
    clean = media.make_video(tmp_path / "clean.mkv", frames, fps=10, codec="ffv1", pixels="bgr0")
    material = request.read(asked(low, truth=str(clean)))
    assert np.array_equal(material.given["truth"], np.stack(textured(6, 128, 192)[:4]))
    assert "the ground truth of 194×135 is cut to 192×128" in str(material.notes)
    with pytest.raises(UserError, match="must have 4 of 192×128"):
        request.read(asked(low, others=[str(clean)]))


def test_a_large_clip_of_another_size_or_too_short_is_named(low, tmp_path):
    for name, frames in (("small", textured(6, 64, 96)), ("short", textured(3, 128, 192))):
        other = media.make_video(tmp_path / f"{name}.mp4", frames, fps=10)
        with pytest.raises(UserError, match=f"“{name}” has .* it must have 4 of 192×128"):
            request.read(asked(low, others=[str(other)]))


def test_a_checkpoint_makes_its_layer_of_the_part_that_is_worked_on(low, tmp_path):
    torch.manual_seed(0)
    save_file(SRVGG(1, 8).state_dict(), tmp_path / "small.safetensors")
    wanted = asked(low, crop="0,0,50,50")
    material = request.read(replace(wanted, others=(tmp_path / "small.safetensors",)))
    (frame, *_), made = material.clip, material.given["small"]
    assert made.shape == (4, *(4 * side for side in frame.rgb_u8.shape[:2]), 3) and made.dtype == np.uint8
    with pytest.raises(UserError, match="no ESRGAN checkpoint at absent.pth"):
        request.read(replace(wanted, others=(Path("absent.pth"),)))


def test_names_of_other_clips_never_stand_for_a_method(tmp_path):
    names = request.named(
        [tmp_path / "mgld.mp4", tmp_path / "MGLD.mp4", tmp_path / "a<b>|c.mp4", tmp_path / "truth.mp4"]
    )
    assert list(names) == ["mgld+", "MGLD+", "a b c", "truth+"]


def test_the_lab_degrades_by_seed_and_keeps_the_clean_clip_as_truth(large):
    first, again, other = (request.read(asked(large, degrade_seed=s)) for s in (3, 3, 4))
    assert first.clip[0].rgb_u8.shape == (32, 48, 3) and first.given["truth"].shape == (4, 128, 192, 3)
    assert np.array_equal(first.clip[2].rgb_u8, again.clip[2].rgb_u8)
    assert not np.array_equal(first.clip[2].rgb_u8, other.clip[2].rgb_u8)
    assert first.part == again.part != other.part


def test_the_lab_cuts_a_clip_whose_sides_do_not_divide(tmp_path):
    clip = media.make_video(tmp_path / "odd.mp4", [f[:100, :134] for f in textured(3, 104, 136)], fps=10)
    wanted = asked(clip, degrade_seed=0, frames=2)
    material = request.read(wanted)
    assert material.clip[0].rgb_u8.shape == (24, 32, 3) and material.given["truth"].shape == (2, 96, 128, 3)
    assert (request.extent_of(wanted).height, request.extent_of(wanted).width) == (24, 32)


def test_the_lab_cuts_results_made_elsewhere_where_it_cuts_the_truth(large):
    given = request.read(asked(large, degrade_seed=0, others=[str(large)], crop="12,12,70,70")).given
    assert np.array_equal(given["truth"], given["Real-ESRGAN x4"]) and given["truth"].shape == (4, 80, 112, 3)


def test_the_same_pixels_have_the_same_name(low):
    wanted = asked(low)
    assert request.part_of(wanted, 4) == request.read(wanted).part
    assert request.part_of(wanted, 4) != request.part_of(replace(wanted, model="sd21"), 4)


@pytest.mark.parametrize("name", ["/etc", "../tiny", "somebody/weights", "sd22", ["tiny"], {"path": "/"}, 7, None])
def test_a_model_that_the_host_does_not_offer_is_never_looked_for(name):
    with pytest.raises(UserError, match="Model is .*, but it must be one of tiny, mine"):
        request.checked(Asked(clip="clip.mp4", model=name), {"tiny": "tiny", "mine": "/srv/mine"})


def test_a_model_is_chosen_by_name_and_opened_where_the_host_has_it(low):
    chosen = request.checked(Asked(clip=str(low), model="mine"), {"tiny": "tiny", "mine": "/srv/mine"})
    assert chosen.model == "/srv/mine" and request.part_of(chosen, 1).model == "/srv/mine"  # which keys every cache


def test_interlaced_clips_are_made_whole_where_nobody_can_ask_for_it(tmp_path):
    fields = ["-vf", "interlace=scan=tff:lowpass=off", "-flags", "+ildct+ilme", "-c:v", "libx264", "-crf", "10"]
    media.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=50:d=0.4", *fields, str(tmp_path / "i.mp4"))
    material = request.read(asked(tmp_path / "i.mp4"))
    combed = np.stack([f.rgb_u8 for f in read_frames(tmp_path / "i.mp4", max_frames=4)])
    assert any("whole frames are made" in note for note in material.notes) and "--" not in str(material.notes)
    assert len(material.clip) == 4 and combing(np.stack([f.rgb_u8 for f in material.clip])) < combing(combed)


def combing(clip_u8: np.ndarray) -> float:
    """Return how much neighbouring lines differ beyond every second one, in grey levels."""
    clip = clip_u8.astype(float)
    return float(np.abs(clip[:, 1:-1] - (clip[:, :-2] + clip[:, 2:]) / 2).mean())
