"""Schedules, guidance, noise, tiles and segments against closed forms and diffusers."""

from __future__ import annotations

import math

import pytest
import torch
from diffusers import DDPMScheduler

from mgld.errors import UserError
from mgld.flow import Motion
from mgld.presets import SD21, TINY
from mgld.sampling import guidance, schedule, segments, tiles
from mgld.sampling.noise import FrameNoise
from mgld.sampling.sampler import sample


def shift_motion(frames: int, dx: int, h: int = 8, w: int = 10) -> Motion:
    """Everything moves dx cells to the right per frame; what leaves the picture is hidden."""
    to_next = torch.zeros(frames - 1, 2, h, w)
    to_next[:, 0] = dx
    columns = torch.arange(w).expand(frames - 1, 1, h, w)
    return Motion(to_next, -to_next, (columns + dx < w).float(), (columns - dx >= 0).float())


def moving_latents(frames: int, dx: int, h: int = 8, w: int = 10) -> torch.Tensor:
    wide = torch.randn(4, h, w + dx * frames, generator=torch.Generator().manual_seed(0))
    return torch.stack([wide[..., dx * (frames - i) : dx * (frames - i) + w] for i in range(frames)])


def state(z0: torch.Tensor, now: float = 0.3, after: float = 0.5) -> guidance.StepState:
    return guidance.StepState(z0, 0.1, math.log(0.1), now, after)


def noise(frames: int) -> FrameNoise:
    return FrameNoise(0, 0, frames)


@pytest.mark.parametrize("config", [SD21, TINY])
@pytest.mark.parametrize("index", [0, 7, 18, 19])
def test_ancestral_step_is_diffusers_step(config, index):
    scheduler = schedule.make_scheduler(config["scheduler"], "ddpm", 20)
    z, output = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    theirs = scheduler.step(output, scheduler.timesteps[index], z, generator=torch.Generator().manual_seed(3))
    drawn = torch.randn(z.shape, generator=torch.Generator().manual_seed(3)) if index < 19 else None
    z0 = schedule.clean_estimate(scheduler, z, output, index)
    torch.testing.assert_close(z0, theirs.pred_original_sample, atol=1e-4, rtol=1e-4)
    ours = schedule.ancestral_step(scheduler, z, z0, index, drawn)
    torch.testing.assert_close(ours, theirs.prev_sample, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("index", [0, 7, 19])
def test_deterministic_step_is_diffusers_ddim_where_the_steps_divide_1000(index):
    scheduler = schedule.make_scheduler(TINY["scheduler"], "ddim", 20)
    z, output = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    theirs = scheduler.step(output, scheduler.timesteps[index], z)
    ours = schedule.deterministic_step(scheduler, z, theirs.pred_original_sample, index)
    torch.testing.assert_close(ours, theirs.prev_sample, atol=1e-4, rtol=1e-4)


def test_few_steps_of_tiny_all_lie_where_there_is_noise():
    assert schedule.make_scheduler(TINY["scheduler"], "ddpm", 2).timesteps.tolist() == [999, 499]


@pytest.mark.parametrize("name", ["ddpm", "ddim", "dpm++"])
@pytest.mark.parametrize("steps", [1, 2, 15])
@pytest.mark.parametrize("config", [SD21, TINY])
def test_a_perfect_network_recovers_the_clean_latent(name, steps, config):
    scheduler = schedule.make_scheduler(config["scheduler"], name, steps)
    assert int(scheduler.timesteps[0]) == 999 and len(scheduler.timesteps) == steps
    clean = torch.randn(3, 4, 6, 6)
    base = DDPMScheduler.from_config(config["scheduler"])

    def denoise(z, t):
        alpha = base.alphas_cumprod[t].view(1, 1, 1, 1)
        eps = (z - alpha.sqrt() * clean) / (1 - alpha).sqrt()
        v = alpha.sqrt() * eps - (1 - alpha).sqrt() * clean
        return eps if config is SD21 else v

    start = schedule.initial_latent(torch.randn(3, 4, 6, 6), base, torch.randn(3, 4, 6, 6))
    last = list(sample(denoise, scheduler, start, noise(3)))[-1]
    torch.testing.assert_close(last.z, clean, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("name", ["ddpm", "ddim", "dpm++"])
@pytest.mark.parametrize("steps", [1, 2, 15])
@pytest.mark.parametrize("config", [SD21, TINY])
def test_from_a_lower_timestep_a_perfect_network_recovers_the_clean_latent_too(name, steps, config):
    scheduler = schedule.make_scheduler(config["scheduler"], name, steps, 600)
    assert int(scheduler.timesteps[0]) == 600 and len(set(scheduler.timesteps.tolist())) == steps
    clean, base = torch.randn(3, 4, 6, 6), DDPMScheduler.from_config(config["scheduler"])

    def denoise(z, t):
        alpha = base.alphas_cumprod[t].view(1, 1, 1, 1)
        eps = (z - alpha.sqrt() * clean) / (1 - alpha).sqrt()
        return eps if config is SD21 else alpha.sqrt() * eps - (1 - alpha).sqrt() * clean

    start = schedule.initial_latent(torch.randn(3, 4, 6, 6), base, torch.randn(3, 4, 6, 6), 600)
    torch.testing.assert_close(list(sample(denoise, scheduler, start, noise(3)))[-1].z, clean, atol=2e-3, rtol=1e-3)


def test_what_is_started_lower_holds_more_of_the_input():
    base, z_lq = DDPMScheduler.from_config(SD21["scheduler"]), torch.ones(1, 4, 2, 2)
    kept = [float(schedule.initial_latent(z_lq, base, 0 * z_lq, t).mean()) for t in (999, 600, 200)]
    assert kept[0] == pytest.approx(0.0683, abs=1e-4) and kept == sorted(kept)


def test_sampling_says_at_which_step_numbers_broke():
    scheduler = schedule.make_scheduler(TINY["scheduler"], "ddpm", 4)
    with pytest.raises(UserError, match="step 1"):
        list(sample(lambda z, t: z * math.nan, scheduler, torch.zeros(2, 4, 4, 4), noise(2)))


def test_exact_motion_of_equal_content_costs_nothing():
    z, motion = moving_latents(4, 1), shift_motion(4, 1)
    assert float(guidance.paper_loss(z, motion)) == pytest.approx(0, abs=1e-3)
    moved = guidance.guidance_step(z, motion, state(z), 1.0, "corrected")
    torch.testing.assert_close(moved, z, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("mode", "strength"), [("released", 10.0), ("paper", 0.05), ("corrected", 1.0)])
def test_guidance_lowers_its_loss(mode, strength):
    motion = shift_motion(4, 0)
    z = torch.randn(4, 4, 8, 10, generator=torch.Generator().manual_seed(1))
    guided = guidance.guidance_step(z, motion, state(z), strength, mode)
    loss = guidance.released_loss if mode == "released" else guidance.paper_loss
    assert loss(guided, motion) < loss(z, motion)


@pytest.mark.parametrize("mode", ["released", "paper", "corrected"])
def test_strength_zero_and_single_frames_are_left_alone(mode):
    z = torch.randn(3, 4, 8, 10)
    assert guidance.guidance_step(z, shift_motion(3, 1), state(z), 0.0, mode) is z
    assert guidance.guidance_step(z[:1], shift_motion(1, 1), state(z[:1]), 1.0, mode) is not None
    assert torch.equal(guidance.guidance_step(z[:1], shift_motion(1, 1), state(z[:1]), 1.0, mode), z[:1])


def test_corrected_guidance_leaves_hidden_pixels_alone():
    motion = shift_motion(3, 0)
    hidden = motion._replace(
        visible_in_next=torch.zeros_like(motion.visible_in_next), visible_in_previous=motion.visible_in_previous * 0
    )
    z = torch.randn(3, 4, 8, 10)
    assert torch.equal(guidance.guidance_step(z, hidden, state(z), 3.0, "corrected"), z)


def test_corrected_strength_means_the_same_at_any_size_and_length():
    small = torch.randn(3, 4, 8, 10, generator=torch.Generator().manual_seed(1))
    large, long = small.repeat(1, 1, 2, 2), small[[0, 1, 2, 1, 0, 1, 2]]
    still = [shift_motion(3, 0), shift_motion(3, 0, 16, 20), shift_motion(7, 0)]
    moved = [
        guidance.guidance_step(z, m, state(z), 1.0, "corrected")
        for z, m in zip((small, large, long), still, strict=True)
    ]
    torch.testing.assert_close(moved[1][..., :8, :10], moved[0])
    torch.testing.assert_close(moved[2][1], moved[0][1])


def guided_states(steps: int) -> list[guidance.StepState]:
    """Return what guidance is told at every step of a run."""
    scheduler, states = schedule.make_scheduler(TINY["scheduler"], "ddpm", steps), []

    def guide(z, state):
        states.append(state)
        return z

    list(sample(lambda z, t: torch.zeros_like(z), scheduler, torch.randn(2, 4, 4, 4), noise(2), guide))
    return states


@pytest.mark.parametrize("steps", [1, 6, 50])
def test_what_corrected_guidance_leaves_over_does_not_depend_on_the_number_of_steps(steps):
    kept = math.prod(((1 - s.alpha_after) / (1 - s.alpha)) ** 0.5 for s in guided_states(steps))
    alphas = schedule.make_scheduler(TINY["scheduler"], "ddpm", 1).alphas_cumprod
    assert kept == pytest.approx(float(((1 - alphas[0]) / (1 - alphas[-1])) ** 0.5), rel=1e-4)


def test_the_last_step_does_not_pull_all_the_way_at_any_strength():
    last = guided_states(6)[-1]
    z = torch.randn(3, 4, 8, 10, generator=torch.Generator().manual_seed(1))
    weak, whole = (
        guidance.guidance_step(z, shift_motion(3, 0), state(z, last.alpha, last.alpha_after), strength, "corrected") - z
        for strength in (0.1, 100.0)
    )
    assert weak.norm() < 0.3 * whole.norm()


def test_noise_belongs_to_frames():
    long, later = FrameNoise(5, 0, 6).draw((2, 3)), FrameNoise(5, 4, 2).draw((2, 3))
    assert torch.equal(long[4:], later)
    shared = FrameNoise(5, 4, 2, shared_per_segment=True).draw((2, 3))
    assert torch.equal(shared, long[:2])
    assert not torch.equal(FrameNoise(6, 0, 1).draw((2, 3)), long[:1])


@pytest.mark.parametrize("size", [(16, 16), (16, 40), (33, 29), (10, 50)])
def test_tiles_of_an_identity_give_the_canvas_back(size):
    z = torch.randn(2, 4, *size)
    assert torch.allclose(tiles.tiled(lambda part, y, x: part, z, 16, 8), z, atol=1e-5)
    parts = [(y, x, part) for y, x, part in tiles.image_tiles(z, 16, 12)]
    assert torch.allclose(tiles.blend(parts, size), z, atol=1e-5)


@pytest.mark.parametrize(("kind", "middle"), [("linear", [0.2, 0.4, 0.6, 0.8]), ("uniform", [0.5, 0.5, 0.5, 0.5])])
def test_overlaps_fade_or_are_averaged_as_published(kind, middle):
    dark, bright = torch.zeros(1, 1, 4, 8), torch.ones(1, 1, 4, 8)
    row = tiles.blend([(0, 0, dark), (0, 4, bright)], (4, 12), kind)[0, 0, 0]
    torch.testing.assert_close(row, torch.tensor([0.0] * 4 + middle + [1.0] * 4))


def test_overlaps_by_a_gaussian_are_stablesrs():
    dark, bright = torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    row = tiles.blend([(0, 0, dark), (0, 4, bright)], (8, 12), "gaussian")[0, 0, 4]
    weights = tiles.gaussian_weights(8)[4]
    torch.testing.assert_close(row[4:8], (weights[:4] / (weights[:4] + weights[4:])).float())


@pytest.mark.parametrize("count", [1, 4, 5, 6, 7, 8, 13])
@pytest.mark.parametrize(("length", "overlap"), [(5, 2), (5, 0), (3, 1), (1, 0)])
def test_segments_cover_every_frame_once_beside_the_shared_ones(count, length, overlap):
    cut = list(segments.cover(iter(range(count)), length, overlap))
    assert [last for _, last in cut] == [False] * (len(cut) - 1) + [True]
    fresh = cut[0][0] + [f for segment, _ in cut[1:] for f in segment[overlap:]]
    assert fresh == list(range(count))
    for (one, _), (two, _) in zip(cut, cut[1:], strict=False):
        assert len(one) == length and (not overlap or two[:overlap] == one[-overlap:])


@pytest.mark.parametrize(("length", "overlap"), [(5, 2), (5, 0), (3, 1)])
def test_no_segment_passes_a_cut_and_none_is_shared_over_it(length, overlap):
    cut = list(segments.cover(iter(range(13)), length, overlap, lambda earlier, later: later in (7, 8)))
    scenes = [range(7), range(7, 8), range(8, 13)]
    for scene in scenes:
        parts = [(segment, last) for segment, last in cut if segment[0] in scene]
        assert all(set(segment) <= set(scene) for segment, _ in parts)
        assert [last for _, last in parts] == [False] * (len(parts) - 1) + [True]
        assert parts[0][0][0] == scene[0] and parts[-1][0][-1] == scene[-1]


def test_crossfade_goes_from_one_to_the_other():
    faded = segments.crossfade_head(torch.zeros(3, 1), torch.ones(5, 1))
    assert faded.flatten().tolist() == pytest.approx([0.25, 0.5, 0.75, 1, 1])
