"""Golden 05–08 and 12: schedule, guidance, tiles and colour give what the published code gives."""

from __future__ import annotations

import math
import re

import pytest
import torch
from diffusers import DDPMScheduler
from diffusers.models.embeddings import get_timestep_embedding

from mgld.colour import adain, wavelet
from mgld.convert import official
from mgld.flow import Motion
from mgld.presets import SD21
from mgld.sampling import guidance, schedule, tiles
from mgld.sampling.sampler import sample
from tests.parity import golden
from tests.parity.test_networks import fill, matching, structure_of, unet_of


def close(ours, theirs, atol=1e-6, rtol=1e-5):
    torch.testing.assert_close(torch.as_tensor(ours, dtype=theirs.dtype), theirs, atol=atol, rtol=rtol)


def motion_of(tensors: dict, prefix: str = "", clip: int = 0, masked: bool = True) -> Motion:
    hidden = [tensors[prefix + k][clip] * float(masked) for k in ("fwd_occ", "bwd_occ")]
    flows = [tensors[prefix + k][clip] for k in ("flows_backward", "flows_forward")]
    return Motion(*flows, *(1 - h for h in hidden))


@pytest.mark.parametrize("masked", [True, False])
def test_released_guidance_loss_and_gradient(masked):
    tensors, _ = golden.load("05_motion_guidance")
    suffix = "" if masked else "_nomask"
    z = tensors["latents"].clone().requires_grad_(True)
    loss = guidance.released_loss(z, motion_of(tensors, masked=masked))
    close(loss.detach(), tensors["loss" + suffix].squeeze())
    close(torch.autograd.grad(loss, z)[0], tensors["grad" + suffix])


def test_released_guidance_averages_over_clips():
    tensors, _ = golden.load("05_motion_guidance")
    count = len(tensors["b2.flows_forward"])
    z = tensors["b2.latents"].clone().requires_grad_(True)
    losses = [guidance.released_loss(part, motion_of(tensors, "b2.", i)) for i, part in enumerate(z.chunk(count))]
    loss = sum(losses) / count
    close(loss.detach(), tensors["b2.loss"].squeeze())
    close(torch.autograd.grad(loss, z)[0], tensors["b2.grad"])


def test_guided_and_unguided_steps():
    tensors, meta = golden.load("05_motion_guidance")
    cases = [re.fullmatch(r"step\.(unguided|s-(\d+))\.i(\d+)", k) for k in tensors]
    cases = [c for c in cases if c]
    steps = int(re.search(r"(\d+)-step", meta["note"])[1])
    scheduler = schedule.make_scheduler(SD21["scheduler"], "ddpm", steps)
    for case in cases:
        index = steps - 1 - int(case[3])  # the published index counts down
        z, eps = tensors["step.x_t"], tensors["step.eps"]
        z0 = schedule.clean_estimate(scheduler, z, eps, index)
        z = schedule.ancestral_step(scheduler, z, z0, index, tensors["step.noise"] if index < steps - 1 else None)
        if case[2]:
            state = guidance.StepState(z0, 0.0, schedule.posterior_log_variance(scheduler, index), 0.0, 0.0)
            z = guidance.guidance_step(z, motion_of(tensors), state, float(case[2]), "released")
        close(z, tensors[case[0]], atol=5e-6)
    assert {bool(case[2]) for case in cases} == {True, False}


def test_respaced_schedules():
    tensors, _ = golden.load("06_schedule")
    for name in matching(r"s\d+\.timesteps", tensors):
        respaced(tensors, int(name[1:].split(".")[0]))


def respaced(tensors: dict, steps: int) -> None:
    scheduler = schedule.make_scheduler(SD21["scheduler"], "ddpm", steps)
    assert scheduler.timesteps.flip(0).tolist() == tensors[f"s{steps}.timesteps"].tolist()
    for i in range(steps):
        index = steps - 1 - i
        now, after = schedule.alphas(scheduler, index)
        close(now, tensors[f"s{steps}.alphas_cumprod"][i])
        close(after, tensors[f"s{steps}.alphas_cumprod_prev"][i])
        close(schedule.posterior_variance(scheduler, index), tensors[f"s{steps}.posterior_variance"][i], rtol=2e-5)
        logarithm = tensors[f"s{steps}.posterior_log_variance_clipped"][i]
        close(schedule.posterior_log_variance(scheduler, index), logarithm, rtol=2e-5)


def test_full_schedule_and_start_from_the_lq_latent():
    tensors, _ = golden.load("06_schedule")
    scheduler = DDPMScheduler.from_config(SD21["scheduler"])
    close(scheduler.alphas_cumprod, tensors["full.alphas_cumprod"])
    start = schedule.initial_latent(tensors["qsample.x0"], scheduler, tensors["qsample.noise"])
    close(start, tensors["qsample.t999"])


def test_tile_positions_and_weights():
    tensors, meta = golden.load("07_tiles")
    for name, expected in meta["positions_yx_in_call_order"].items():
        h, w, tile, overlap = map(int, re.fullmatch(r"h(\d+)_w(\d+)_tile(\d+)_ov(\d+)", name).groups())
        ours = [[y, x] for x in tiles.tile_starts(w, tile, overlap) for y in tiles.tile_starts(h, tile, overlap)]
        assert ours == expected, name
    for name, expected in meta["starts"].items():
        tile, stride, length = map(int, re.fullmatch(r"\w+?_(\d+)_(\d+):L(\d+)", name).groups())
        assert tiles.image_starts(length, tile, stride) == expected, name
    for name in matching(r"gauss_\d+", tensors):
        close(tiles.gaussian_weights(int(name.removeprefix("gauss_"))), tensors[name], atol=1e-12, rtol=1e-9)


def test_colour_fixes():
    tensors, _ = golden.load("08_colorfix")
    close(adain(tensors["content"], tensors["style"]), tensors["adain"], atol=2e-6)
    close(wavelet(tensors["content"], tensors["style"]), tensors["wavelet"], atol=2e-6)


def test_timestep_embeddings():
    tensors, _ = golden.load("12_misc")
    for name in matching(r"timestep_embedding_\d+", tensors):
        width = int(name.removeprefix("timestep_embedding_"))
        ours = get_timestep_embedding(tensors["t"], width, flip_sin_to_cos=True, downscale_freq_shift=0)
        close(ours, tensors[name], atol=1e-4)  # angles reach 999 rad, where float32 is 6e-5 apart


class StoredNoise:
    """Hand out the golden file's noise, one step after the other."""

    def __init__(self, draws: list[torch.Tensor]) -> None:
        self.draws = iter(draws)

    def draw(self, shape, device="cpu") -> torch.Tensor:
        return next(self.draws)


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize("guided", [True, False])
def test_canvas_sampler_from_noise_to_latent(guided):
    tensors, meta = golden.load("05b_canvas_sampler")
    unet, encoder = unet_of(meta["unet_kwargs"]), structure_of(meta["struct_kwargs"])
    fill(unet, official.unet_sources(unet), meta["weight_seed"])
    fill(encoder, official.structure_sources(encoder), meta["weight_seed"])
    steps, z_lq = meta["steps"], tensors["lq_latent"]
    scheduler = schedule.make_scheduler(SD21["scheduler"], "ddpm", steps)
    base = DDPMScheduler.from_config(SD21["scheduler"])
    start = schedule.initial_latent(z_lq, base, tensors["init_noise"])
    close(start, tensors["x_T"])

    def denoise(z, t):
        def one_tile(part, y, x):
            structure = encoder(z_lq[..., y : y + part.shape[-2], x : x + part.shape[-1]], t)
            return unet(part, t, structure, len(z), text=tensors["ctx"])

        return tiles.tiled(one_tile, z, meta["tile"], meta["overlap"])

    def guide(z, state):
        return guidance.guidance_step(z, motion_of(tensors), state, abs(meta["guidance_scale"]), "released")

    noise = StoredNoise([tensors[f"noise.i{i}"] for i in range(steps - 1, 0, -1)])
    history = list(sample(denoise, scheduler, start, noise, guide if guided else None))
    layers = steps * golden.layers_of(unet, encoder)
    assert math.isfinite(golden.bound(tensors["guided.final"]))
    golden.close(history[0].z0, tensors["first_step.x0_hat"], layers)
    if guided:
        for name in matching(r"guided\.after_i\d+", tensors):
            index = steps - 1 - int(name.removeprefix("guided.after_i"))
            golden.close(history[index].z, tensors[name], layers)
        # The gradient of an L1 is a sign, and the last step multiplies it by 460: rounding may flip it in a few cells.
        off = (history[-1].z - tensors["guided.final"]).abs() > golden.bound(tensors["guided.final"], layers)
        assert off.float().mean() < 1e-3
    else:
        golden.close(history[-1].z, tensors["unguided.final"], layers)
