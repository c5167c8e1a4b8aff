"""What a viewer expects of odd clips, with the shipped model: stills stand still, black is black, flat colours stay, no ghosts."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mgld.canvas import bicubic
from mgld.events import FramesDone, Progress
from mgld.pipeline import MGLDPipeline
from mgld.settings import COLOURS, Settings
from mgld.video import Frame

pytestmark = pytest.mark.slow
BARS = np.array(
    [(191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0), (0, 0, 191)], np.uint8
)


@pytest.fixture(scope="module")
def tiny() -> MGLDPipeline:
    return MGLDPipeline.from_pretrained("tiny", "cpu")


def texture(count: int, seed: int = 0, height: int = 40, width: int = 48) -> np.ndarray:
    """Return u8 [T,h,w,3]: soft shapes that pan two pixels a frame."""
    coarse = np.random.default_rng(seed).integers(40, 216, (12, 24, 3), np.uint8)
    wide = cv2.resize(coarse, (width + 2 * count, height), interpolation=cv2.INTER_CUBIC)
    return np.stack([wide[:, 2 * i : 2 * i + width] for i in range(count)])


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the mean difference of each frame, in grey levels."""
    return np.abs(a.astype(float) - b).mean((1, 2, 3))


def run(tiny, clip: np.ndarray, **settings) -> list:
    frames = [Frame(rgb, i / 12) for i, rgb in enumerate(clip)]
    return list(tiny.run(frames, Settings(**settings), len(clip)))


@pytest.mark.parametrize("method", ["mgld", "per_frame+mds", "per_frame+tsd"])
def test_drawings_on_twos_stand_still_between_their_changes(tiny, method):
    events = run(tiny, texture(4).repeat(2, 0), method=method, segment=3, overlap=1)
    done = [e for e in events if isinstance(e, FramesDone)]
    frames = np.concatenate([e.frames_u8 for e in done])
    assert frames.shape == (8, 160, 192, 3) and np.array_equal(frames[::2], frames[1::2])
    assert sum((e.times_s for e in done), ()) == pytest.approx([i / 12 for i in range(8)])
    assert [e.first_frame for e in done] == [0, 4] and [e.segment_border for e in done] == [False, True]
    assert (events[-1].report["frames"], events[-1].report["frames_repeated"]) == (8, 4)
    places = [e.done for e in events if isinstance(e, Progress)]
    assert places == sorted(places) and places[-1] <= 8
    assert np.array_equal(frames[::2], tiny(texture(4), Settings(method=method, segment=3, overlap=1)))


def test_a_still_is_made_once(tiny, monkeypatch):
    seen, forward = [], tiny.unet.forward
    monkeypatch.setattr(tiny.unet, "forward", lambda z, *a, **k: seen.append(len(z)) or forward(z, *a, **k))
    frames = tiny(texture(1).repeat(12, 0), Settings(steps=1))
    assert seen == [1] and len(frames) == 12 and not np.ptp(frames, axis=0).any()


def test_equal_frames_can_be_made_anew(tiny):
    frames = tiny(texture(1).repeat(4, 0), Settings(repeats="made"))
    assert all(difference(frames[1:], frames[:-1]) > 0)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("method", ["mgld", "per_frame"])
def test_bars_keep_their_colours_under_every_colour_fix(tiny, method, colour):
    bars = np.repeat(BARS, 14, axis=0)[None].repeat(48, 0)[None]
    made = tiny(bars, Settings(method=method, colour=colour))
    middles = np.stack([made[0, 32:160, 56 * i + 12 : 56 * i + 44].mean((0, 1)) for i in range(len(BARS))])
    assert np.abs(middles - BARS).max() <= 5


@pytest.mark.parametrize("colour", COLOURS)
def test_black_stays_black(tiny, colour):
    assert tiny(np.zeros((3, 40, 48, 3), np.uint8), Settings(colour=colour)).max() <= 1


def test_bars_around_a_film_are_as_black_as_its_bicubic_enlargement(tiny):
    film = texture(4, height=64)
    film[:, :16] = film[:, -16:] = 0
    made, plain = tiny(film, Settings()), bicubic(film)
    for part in (slice(0, 60), slice(-60, None)):
        assert np.abs(made[:, part].astype(int) - plain[:, part]).max() <= 1
    assert made[:, :56].max() <= 1 and made[:, -56:].max() <= 1


@pytest.fixture(scope="module")
def without_flash(tiny) -> np.ndarray:
    return tiny(texture(8), Settings())


@pytest.fixture(scope="module")
def at_an_end(tiny, without_flash) -> float:
    return difference(tiny(texture(8)[:4], Settings()), without_flash[:4]).max()


@pytest.mark.parametrize("flash", [255, 0])
def test_frames_beside_a_flash_are_as_without_it(tiny, without_flash, at_an_end, flash):
    """They lose a neighbour, no more: as much as the last frame of any clip differs from one that others follow."""
    flashed, beside = texture(8), np.r_[0:4, 5:8]
    flashed[4] = flash
    assert difference(tiny(flashed, Settings())[beside], without_flash[beside]).max() < at_an_end + 0.5


def test_nothing_of_one_scene_is_seen_in_the_other(tiny):
    """Frames beside the cuts, whatever the scenes before and after are, are the same to the last bit."""
    cut_in = [np.concatenate([texture(5, seed), texture(5), texture(4, seed + 10)]) for seed in (1, 2)]
    made = [tiny(clip, Settings(segment=5)) for clip in cut_in]
    assert np.array_equal(*(frames[5:10] for frames in made)) and not np.array_equal(*made)


def test_a_fade_to_black_is_finite_and_gets_darker(tiny):
    strengths = np.linspace(1, 0, 6)[:, None, None, None]
    made = tiny((texture(6) * strengths).astype(np.uint8), Settings())
    levels = made.mean((1, 2, 3))
    assert all(np.diff(levels) < 0) and levels[-1] <= 1


def test_texture_on_flat_ground_is_left_alone(tiny):
    """What the guard of flat ground changes is its mean colour, nothing of what is not flat."""
    film = texture(2)
    kept, free = (tiny(film, Settings(flat=flat)) for flat in ("kept", "free"))
    assert difference(kept, free).max() < 1
