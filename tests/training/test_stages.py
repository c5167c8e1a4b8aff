"""Every stage on toy sizes: the loss falls, a killed run goes on, the result is a model that runs."""

from __future__ import annotations

import csv
import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from PIL import Image

from mgld.canvas import to_bytes
from mgld.errors import UserError
from mgld.flow.dis import Dis
from mgld.presets import TINY
from mgld.training import denoiser, stages
from mgld.training.autoencoder import train_autoencoder
from mgld.training.bank import fill_bank, read_bank
from mgld.training.decoder import BankedClip, train_decoder
from mgld.training.losses import frame_difference, grid_difference, sobel_magnitude, structure_weighted_consistency
from mgld.training.run import Plan
from tests.small import small_structure_encoder, small_unet, small_vae


def plan(folder, steps: int, **changes) -> Plan:
    base = Plan(folder, steps, batch=2, learning_rate=2e-3, dtype="float32", log_every=5, sheet_every=1000)
    return replace(base, **changes)


def column(folder, name: str) -> list[float]:
    with (folder / "log.csv").open() as file:
        return [float(row[name]) for row in csv.DictReader(file)]


def pictures(frames: int, side: int = 64):
    """Yield (hq, lq) batches of two clips of smooth random pictures."""
    generator = torch.Generator().manual_seed(0)
    while True:
        coarse = torch.rand(2 * frames, 3, 4, 4, generator=generator) * 2 - 1
        hq = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic").clamp(-1, 1)
        lq = torch.nn.functional.interpolate(hq, scale_factor=0.25, mode="area")
        yield hq.unflatten(0, (2, frames)), lq.unflatten(0, (2, frames))


def byte_pictures(frames: int):
    """Yield the pictures that tests learn from as the loader does, as bytes."""
    return (tuple(map(to_bytes, pair)) for pair in pictures(frames))


@pytest.mark.slow
def test_autoencoder_learns(tmp_path):
    torch.manual_seed(0)
    stills = (hq.flatten(0, 1) for hq, _ in pictures(1))
    vae = train_autoencoder(
        plan(tmp_path, 40), small_vae(), stills, next(pictures(1))[0].flatten(0, 1), with_lpips=False
    )
    losses = column(tmp_path, "l1")
    assert losses[-1] < 0.92 * losses[0]
    assert vae.config.scaling_factor != 1.0
    assert Image.open(tmp_path / "sheet_last.png").size == (128, 128)


@pytest.mark.slow
def test_a_decoder_can_be_trained_in_the_latent_space_that_stands(tmp_path):
    vae = small_vae()
    before = {k: v.clone() for k, v in vae.state_dict().items()}
    scale = vae.config.scaling_factor
    stills, held_out = (hq.flatten(0, 1) for hq, _ in pictures(1)), next(pictures(1))[0].flatten(0, 1)
    trained = train_autoencoder(plan(tmp_path, 10), vae, stills, held_out, with_lpips=False, decoder_only=True)
    changed = {k for k, v in trained.state_dict().items() if not torch.equal(v, before[k])}
    assert changed and all("decoder" in k or "post_quant" in k or k.startswith("unfold") for k in changed)
    assert trained.config.scaling_factor == scale


def test_a_model_begun_with_another_shape_stays_consistent(tmp_path):
    vae = stages.open_net("vae", tmp_path, {"latent_channels": 4, "channels": (16, 32)})
    stages.save(vae, "vae", tmp_path)
    assert stages.open_net("vae", tmp_path).config.latent_channels == 4
    assert stages.open_net("unet", tmp_path).config.latent_channels == 4


@pytest.mark.slow
@pytest.mark.parametrize("temporal", [False, True])
def test_denoiser_learns_only_what_its_phase_trains(tmp_path, temporal):
    torch.manual_seed(0)
    vae, unet, encoder = small_vae(), small_unet(), small_structure_encoder()
    before = {k: v.clone() for k, v in unet.state_dict().items()}
    scheduler = DDPMScheduler(**TINY["scheduler"])
    samples, steps = byte_pictures(3 if temporal else 1), plan(tmp_path, 5 if temporal else 30)
    trained, _ = denoiser.train_denoiser(steps, vae, unet, encoder, scheduler, samples, temporal)
    changed = {k.split(".")[0] for k, v in trained.state_dict().items() if not torch.equal(v, before[k])}
    expected = {"temporal_first", "temporal_attention", "temporal_last"} if temporal else {"backbone", "sft"}
    assert changed == expected
    if not temporal:
        losses = column(tmp_path, "mse")
        assert np.mean(losses[-2:]) < np.mean(losses[:2])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("phase", "parts"),
    [
        ("backbone", {"backbone", "unfold"}),
        ("frame", {"fusion"}),
        ("joint", {"backbone", "unfold", "fusion"}),
        ("temporal", {"temporal_middle", "temporal_up"}),
    ],
)
def test_decoder_learns_only_what_its_phase_trains(tmp_path, phase, parts):
    torch.manual_seed(0)
    vae = small_vae()
    vae.fusion["0"].requires_grad_(True)
    before = {k: v.clone() for k, v in vae.state_dict().items()}
    frames = 3 if phase == "temporal" else 1
    generator = torch.Generator().manual_seed(1)
    clips = itertools.cycle(
        BankedClip(
            hq[0],
            torch.nn.functional.interpolate(lq[0], scale_factor=4.0),
            torch.randn(frames, 4, 8, 8, generator=generator),
        )
        for hq, lq in itertools.islice(pictures(frames), 2)
    )
    trained = train_decoder(plan(tmp_path, 25), vae, clips, 64, phase, Dis(), perceptual=False)
    changed = {k for k, v in trained.state_dict().items() if not torch.equal(v, before[k])}
    assert {k.split(".")[0] for k in changed} == parts and not any("encoder" in k for k in changed)
    losses = column(tmp_path, "l1")
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("stage", ["autoencoder", "decoder"])
def test_a_decoder_that_learns_nothing_is_told_although_its_critic_learns(tmp_path, monkeypatch, stage):
    monkeypatch.setattr(f"mgld.training.{stage}.GAN_FROM", -1.0)
    monkeypatch.setattr(f"mgld.training.{stage}.generator_loss", lambda fake: fake.mean() * torch.nan)
    steps = plan(tmp_path, 5, log_every=1)
    hq, lq = next(pictures(1))
    with pytest.raises(UserError, match="gradients of 3 steps in a row were not finite"):
        if stage == "autoencoder":
            train_autoencoder(steps, small_vae(), itertools.repeat(hq[:, 0]), hq[:, 0], with_lpips=False)
        else:
            clip = BankedClip(hq[0], torch.nn.functional.interpolate(lq[0], scale_factor=4.0), torch.randn(1, 4, 8, 8))
            train_decoder(steps, small_vae(), itertools.repeat(clip), 64, "backbone", perceptual=False)


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_stopped(tmp_path):
    def run(steps: int, resume: bool):
        torch.manual_seed(0)
        stills = (hq.flatten(0, 1) for hq, _ in pictures(1))
        held_out = next(pictures(1))[0].flatten(0, 1)
        train_autoencoder(plan(tmp_path, steps, resume=resume), small_vae(), stills, held_out, with_lpips=False)

    run(20, resume=False)
    first = column(tmp_path, "l1")
    with (tmp_path / "log.csv").open("a") as file:
        file.write("25,9.0,9.0,0.0\n")  # a line after the last checkpoint, as kill -9 leaves it
    run(40, resume=True)
    both = column(tmp_path, "l1")
    assert len(both) == 8 and both[:4] == first
    assert both[4] < np.mean(first)


@pytest.mark.slow
def test_time_limit_ends_a_run_properly(tmp_path):
    stills = (hq.flatten(0, 1) for hq, _ in pictures(1))
    limited = plan(tmp_path, 10**6, time_limit_s=1.0)
    train_autoencoder(limited, small_vae(), stills, next(pictures(1))[0].flatten(0, 1), with_lpips=False)
    assert (tmp_path / "checkpoint.pt").exists()


def test_the_target_of_a_start_from_the_lq_latent_points_at_the_clean_one():
    scheduler = DDPMScheduler(**TINY["scheduler"])
    z_hq, z_lq, t = torch.randn(4, 2, 4, 4), torch.randn(4, 2, 4, 4), torch.tensor([0, 400, 900, 999])
    z_t, v = denoiser.noisy_pair(scheduler, z_hq, z_lq, t)
    alpha = scheduler.alphas_cumprod[t].view(-1, 1, 1, 1)
    torch.testing.assert_close(alpha.sqrt() * z_t - (1 - alpha).sqrt() * v, z_hq, atol=1e-5, rtol=1e-4)


def test_bank_holds_what_the_sampler_made(tmp_path, pipeline):
    from mgld.settings import Settings

    pairs = ((hq[:1], lq[:1]) for hq, lq in pictures(3))
    fill_bank(tmp_path, 2, pipeline, Settings(steps=2), pairs, "corpus, seed 0")
    fill_bank(tmp_path, 3, pipeline, Settings(steps=2), pairs, "corpus, seed 0")
    assert len(list(tmp_path.glob("*.safetensors"))) == 3
    clip = next(read_bank(tmp_path, 0, single_frames=False))
    assert clip.gt.shape == clip.lq.shape == (3, 3, 64, 64) and clip.z.shape == (3, 4, 8, 8)
    assert next(read_bank(tmp_path, 0, single_frames=True)).gt.shape == (1, 3, 64, 64)


def test_a_bank_of_other_weights_or_settings_is_refused(tmp_path, pipeline):
    from mgld.settings import Settings

    pairs = ((hq[:1], lq[:1]) for hq, lq in pictures(1))

    def fill(steps: int = 1, source: str = "corpus, seed 0", folder=tmp_path / "bank") -> None:
        fill_bank(folder, 1, pipeline, Settings(steps=steps), pairs, source)

    fill()
    with pytest.raises(UserError, match="other settings"):
        fill(steps=2)
    with pytest.raises(UserError, match="other source"):
        fill(source="corpus, seed 1")
    pipeline.vae.fusion["0"].exit.conv1.weight.add_(1)  # what stage 2 trains is not what sampling depends on
    fill()
    pipeline.unet.backbone.conv_in.weight.add_(1)
    with pytest.raises(UserError, match="other weights"):
        fill()
    (tmp_path / "bank" / "bank.json").unlink()  # as an older program left it
    with pytest.raises(UserError, match="remove that folder"):
        fill()


def test_a_folder_keeps_its_shape_whatever_the_config_says(tmp_path):
    config = {"latent_channels": 4, "channels": (16, 32)}
    stages.save(stages.open_net("vae", tmp_path, config), "vae", tmp_path)
    assert stages.open_net("vae", tmp_path, {"channels": [16, 32]}).config.latent_channels == 4
    with pytest.raises(UserError, match="latent_channels 4, but --config says 16"):
        stages.open_net("vae", tmp_path, {"latent_channels": 16})


def test_new_weights_are_whole_before_the_old_ones_go(tmp_path, monkeypatch):
    vae = small_vae()
    stages.save(vae, "vae", tmp_path)
    first = {f.name: f.read_bytes() for f in (tmp_path / "vae").iterdir()}

    def killed(*args, **kwargs) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(type(vae), "save_pretrained", killed)
    with pytest.raises(KeyboardInterrupt):
        stages.save(vae, "vae", tmp_path)
    assert {f.name: f.read_bytes() for f in (tmp_path / "vae").iterdir()} == first
    monkeypatch.undo()
    vae.linear_decoder = None
    stages.save(vae, "vae", tmp_path)
    assert [f.name for f in tmp_path.iterdir()] == ["vae"]


def test_the_grid_loss_sees_a_weave_but_not_detail():
    generator = torch.Generator().manual_seed(0)
    gt, other = torch.randn(2, 8, 3, 64, 64, generator=generator)
    weave = gt.clone()
    weave[..., ::4, ::4] *= 2
    checkerboard = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(32, 32)
    assert grid_difference(other, gt, 4) < 0.1 < 0.2 < grid_difference(weave, gt, 4)
    assert grid_difference(gt + 0.5 * checkerboard, gt, 4) > 0.2
    assert grid_difference(gt, gt, 4) == 0


def test_frame_difference_sees_flicker_but_not_offsets():
    gt = torch.rand(4, 3, 8, 8)
    assert float(frame_difference(gt + 0.3, gt)) == pytest.approx(0, abs=1e-6)
    flicker = gt + 0.1 * torch.tensor([1.0, -1, 1, -1]).view(4, 1, 1, 1)
    assert float(frame_difference(flicker, gt)) == pytest.approx(0.2, rel=1e-4)


def test_sobel_of_a_ramp_is_its_slope():
    ramp = torch.arange(16.0).view(1, 1, 1, 16).expand(1, 1, 16, 16) * 0.1
    assert float(sobel_magnitude(ramp)[0, 0, 8, 8]) == pytest.approx(0.1, rel=1e-3)


def test_consistency_is_zero_for_what_moves_with_the_flow():
    from tests.sampling.test_sampling import moving_latents, shift_motion

    x, motion = moving_latents(4, 1)[:, :3], shift_motion(4, 1)
    assert float(structure_weighted_consistency(x, x, motion)) == pytest.approx(0, abs=1e-5)
    assert float(structure_weighted_consistency(x.flip(0), x, motion)) > 0.1
