"""The few-step stage on toy sizes: it samples as the sampler does, trains what its phase trains, and weighs the critics as told."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch
from diffusers import DDPMScheduler
from torch.utils._python_dispatch import TorchDispatchMode

from mgld.canvas import enlarged
from mgld.flow.dis import Dis
from mgld.flow.spynet import SpyNet
from mgld.metrics.perceptual import Dists
from mgld.metrics.vgg import GROUPS, Perceptual
from mgld.nets import Cleaner, VideoVAE
from mgld.nets.layers import GATE_BIAS
from mgld.presets import TINY
from mgld.sampling import schedule
from mgld.training import critics, distil, sampled, stages
from mgld.training.critics import Critics, PairCritic, deceive, tell_apart
from mgld.training.losses import flat_excess
from tests.small import small_structure_encoder, small_unet, small_vae
from tests.training.test_stages import byte_pictures, column, pictures, plan


def small_nets(temporal: bool = False, cleaner: Cleaner | None = None) -> sampled.Nets:
    torch.manual_seed(0)
    scheduler = DDPMScheduler(**TINY["scheduler"])
    nets = small_vae(), small_unet(), small_structure_encoder()
    return sampled.Nets(*nets, scheduler, "temporal" if temporal else "spatial", torch.float32, cleaner)


@pytest.fixture
def vgg(monkeypatch):
    """Stand in for the published VGG16, which is not in the repository: an eighth of its channels, with random weights."""
    narrow = tuple(tuple(width // 8 for width in group) for group in GROUPS)
    monkeypatch.setattr("mgld.metrics.vgg.GROUPS", narrow)
    monkeypatch.setattr("mgld.metrics.perceptual.GROUPS", narrow)
    features = tuple((group, width // 8) for group, width in critics.FEATURES)
    monkeypatch.setattr(critics, "FeatureCritic", partial(critics.FeatureCritic, features))
    torch.manual_seed(0)
    net = Perceptual().requires_grad_(False)
    for weight in net.weights:
        weight.fill_(0.1)
    monkeypatch.setattr(distil, "load_perceptual", lambda device: net)
    monkeypatch.setattr(distil, "load_dists", lambda device, vgg: some_dists(vgg))
    monkeypatch.setattr(distil, "SAMPLE_USES", 8)  # few steps teach these toys few samples
    return net


def some_dists(vgg: Perceptual) -> Dists:
    """Make DISTS that weighs all channels alike."""
    net = Dists(vgg).requires_grad_(False)
    net.alpha.fill_(1.0)
    net.beta.fill_(1.0)
    return net


def averaged_pictures(frames: int):
    """Yield bytes and what averaging along the motion adds, as the loader does."""
    return ((*pair, torch.zeros(2, frames, 3, 32, 32, dtype=torch.float16)) for pair in byte_pictures(frames))


@pytest.mark.parametrize("temporal", [False, True])
def test_each_phase_trains_its_own_layers_and_the_pictures_get_closer(tmp_path, temporal, vgg):
    nets = small_nets(temporal)
    before = {name: dict(net.state_dict()) for name, net in (("vae", nets.vae), ("unet", nets.unet))}
    before = {name: {k: v.clone() for k, v in state.items()} for name, state in before.items()}
    steps = plan(tmp_path, 6 if temporal else 12, learning_rate=1e-3, log_every=3)
    trained = distil.train_distilled(
        steps, nets, averaged_pictures(3 if temporal else 1), distil.Weights(0.2), Dis(), 32
    )
    changed = {
        name: {k.split(".")[0] for k, v in getattr(trained, name).state_dict().items() if not torch.equal(v, state[k])}
        for name, state in before.items()
    }
    if temporal:
        assert changed["vae"] == {"temporal_middle", "temporal_up"}
        assert changed["unet"] == {"temporal_first", "temporal_attention", "temporal_last"}
    else:
        assert changed == {"vae": {"backbone", "unfold", "fusion"}, "unet": {"backbone", "sft"}}
        kept = [k for k in before["vae"] if "encoder" in k or "quant_conv" in k and "post" not in k]
        assert all(torch.equal(trained.vae.state_dict()[k], before["vae"][k]) for k in kept)
        assert column(tmp_path, "l1")[-1] < column(tmp_path, "l1")[0]
    assert column(tmp_path, "deceit")[-1] != 0 and max(column(tmp_path, "skipped")) == 0


@pytest.mark.parametrize("temporal", [False, True])
def test_a_cleaner_learns_with_the_per_frame_recipe_and_is_frozen_after_it(tmp_path, temporal, vgg):
    cleaner = Cleaner(8, 1)
    before = {name: value.clone() for name, value in cleaner.state_dict().items()}
    nets, weights = small_nets(temporal, cleaner), distil.Weights(0.2)
    steps = plan(tmp_path, 2 if temporal else 12, learning_rate=1e-3, log_every=3)
    trained = distil.train_distilled(steps, nets, averaged_pictures(3 if temporal else 1), weights, Dis(), 32)
    changed = {name for name, value in trained.cleaner.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == (set() if temporal else set(before))
    if not temporal:
        assert column(tmp_path, "canvas")[-1] < column(tmp_path, "canvas")[0]


@pytest.mark.parametrize("temporal", [False, True])
def test_a_gate_learns_with_the_per_frame_recipe_and_is_frozen_after_it(tmp_path, temporal, vgg):
    nets = replace(small_nets(temporal), vae=small_vae(canvas_gate=True))
    before = nets.vae.gate.share.weight.clone()
    steps = plan(tmp_path, 2)
    trained = distil.train_distilled(
        steps, nets, averaged_pictures(3 if temporal else 1), distil.Weights(0.2), Dis(), 32
    )
    assert torch.equal(trained.vae.gate.share.weight, before) == temporal


def test_the_gate_learns_alone_and_nothing_else_moves(tmp_path, vgg):
    vae = stages.with_gate(small_vae())
    nets = replace(small_nets(), vae=vae, phase="gate")
    before = {name: {k: v.clone() for k, v in net.state_dict().items()} for name, net in nets.modules.items()}
    steps = plan(tmp_path, 12, learning_rate=1e-2, log_every=3)
    trained = distil.train_distilled(steps, nets, averaged_pictures(1), distil.Weights(0.0), square_px=32)
    changed = {
        f"{name}.{key}"
        for name, net in trained.modules.items()
        for key, value in net.state_dict().items()
        if not torch.equal(value, before[name][key])
    }
    gate = {f"vae.gate.{key}" for key in vae.gate.state_dict()}
    assert changed == gate and set(stages._moved(trained)) == {"vae"}
    assert column(tmp_path, "dists")[-1] < column(tmp_path, "dists")[0]


@torch.no_grad()
def test_a_fresh_gate_hardly_changes_what_a_trained_decoder_makes():
    vae, x = small_vae().eval(), torch.rand(1, 3, 32, 32) * 2 - 1
    gated = stages.with_gate(vae).eval()
    latents, features = vae.encode(x)
    plain = vae.decode(latents.mean, features, 1)
    share = torch.sigmoid(torch.tensor(GATE_BIAS))
    torch.testing.assert_close(gated.decode(latents.mean, gated.encode(x)[1], 1), torch.lerp(plain, x, share))
    assert stages.with_gate(gated) is gated


def test_the_picture_teaches_the_cleaner_too(tmp_path, vgg):
    """Not the canvas alone: with a canvas that is its own truth, what is asked of the picture still reaches it."""
    nets = small_nets(cleaner=Cleaner(8, 1))
    distil._begin(plan(tmp_path, 9), nets)
    lq = next(pictures(1))[1].flatten(0, 1)
    seen = nets.seen(lq, torch.nn.functional.interpolate(lq, scale_factor=4.0))
    step = distil.Distilling(None, nets, None, distil.Weights(), None, 32)
    _, x = step._pictures(seen, 1, twice=True)
    (reached,) = torch.autograd.grad(x.square().mean(), nets.cleaner.last.weight)
    assert float(reached.abs().sum()) > 0


def test_one_and_two_steps_are_the_samplers_own():
    """With the same noise, the training step's estimate is what the sampler's schedule makes of it."""
    nets, z_lq = small_nets(), torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    alphas = nets.scheduler.alphas_cumprod
    with torch.no_grad():
        torch.manual_seed(3)
        made = nets.in_steps(z_lq, 1, torch.tensor([499]))
        torch.manual_seed(3)
        ready = schedule.make_scheduler(nets.scheduler.config, "ddpm", 2)
        assert ready.timesteps.tolist() == [999, sampled.USUAL_TIMESTEP]
        z = schedule.initial_latent(z_lq, ready, torch.randn_like(z_lq))
        z0 = nets.clean(z, z_lq, torch.tensor([999]), 1)
        z = schedule.ancestral_step(ready, z, z0, 0, torch.randn_like(z_lq))
        expected = nets.clean(z, z_lq, torch.tensor([499]), 1)
    torch.testing.assert_close(made, expected, atol=2e-4, rtol=1e-4)
    assert float(alphas[999]) < float(alphas[499])


def test_gradients_reach_the_denoiser_through_the_last_step_alone():
    nets, z_lq = small_nets(), torch.randn(1, 4, 8, 8, requires_grad=True)
    calls = []
    nets.clean = lambda z, z_lq, t, frames: calls.append(torch.is_grad_enabled()) or z
    nets.in_steps(z_lq, 1, torch.tensor([499]))
    assert calls == [False, True]


def test_the_critics_say_is_a_share_of_what_the_truth_asks(tmp_path):
    """Whatever the size of the critics' loss, its part of the gradient at the picture has the told length."""

    for size in (1e-4, 1.0, 1e4):
        x = torch.randn(1, 3, 8, 8, requires_grad=True)
        loss = (x[..., 1] ** 2).sum()
        (wanted,) = torch.autograd.grad(loss, x, retain_graph=True)
        (both,) = torch.autograd.grad(distil._towards(x, loss, size * x[..., 0].sum(), torch.tensor(0.3))[0], x)
        assert float((both - wanted).norm() / wanted.norm()) == pytest.approx(0.3, rel=1e-3)
        (alone,) = torch.autograd.grad(distil._towards(x, loss, x[..., 0].sum(), torch.tensor(0.0))[0], x)
        torch.testing.assert_close(alone, wanted)


def test_critics_come_in_late_and_little_by_little():
    assert distil._ramp(0.0) == distil._ramp(distil.CRITICS_ALONE) == 0
    assert 0 < distil._ramp(0.5 * (distil.CRITICS_ALONE + distil.CRITICS_HEARD)) < 1 == distil._ramp(1.0)


def test_critics_learn_to_tell_a_hatch(vgg):
    torch.manual_seed(0)
    critics, hatch = Critics(), 0.3 * torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(16, 16)
    optimizer = torch.optim.Adam(critics.parameters(), 3e-3)
    for _ in range(12):
        real = torch.randn(4, 3, 4, 4).repeat_interleave(8, 2).repeat_interleave(8, 3).clamp(-1, 1)
        fake, lq = real + hatch, torch.zeros_like(real)
        maps = [vgg.features(x) for x in (real, fake)]
        judged = [critics(m, x, lq) for m, x in zip(maps, (real, fake), strict=True)]
        optimizer.zero_grad()
        tell_apart(*judged).backward()
        optimizer.step()
    assert float(deceive(judged[1]).detach()) > float(deceive(judged[0]).detach())
    assert [logits.shape[-1] for logits in judged[0]] == [16, 8, 4, 4]
    assert critics.of_features.groups[-1] < len(GROUPS)


def test_the_pair_critic_sees_what_strides_would_skip():
    """Its first layer has stride 1, so that a hatch of two pixels reaches it whole."""
    first = PairCritic().layers[0]
    assert first.stride == (1, 1) and first.in_channels == 6


def test_flat_ground_may_not_be_hatched_but_detail_may_be_strong():
    hatch = 0.02 * torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(32, 32)
    flat, busy = torch.zeros(1, 3, 64, 64), torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert float(flat_excess(flat + hatch, flat)) > 10 * float(flat_excess(busy + hatch, busy))
    assert (
        float(flat_excess(flat, flat)) == float(flat_excess(flat, flat + hatch)) == 0
    )  # what is missing is not its business
    swell = 0.5 * torch.linspace(0, 2 * torch.pi, 64).cos().expand(1, 3, 64, 64)
    assert float(flat_excess(swell, flat)) < 1e-4  # coarse errors are not its business either


HOSTS = (
    "_local_scalar_dense",
    "lift_fresh",
    "nonzero",
    "randperm",
)  # what waits for the device, or copies from the host


class Watched(TorchDispatchMode):
    """Note every operation that no CUDA graph may hold."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        self.seen += [name] if name in HOSTS else []
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("temporal", [False, True])
@pytest.mark.parametrize("kind", [distil.Kind(True, True), distil.Kind(False, False)])
def test_a_step_stays_on_the_device(tmp_path, vgg, temporal, kind):
    """Only then can it be recorded; an item() in it would also make the launching thread wait."""
    nets, frames = small_nets(temporal, Cleaner(8, 1)), 3 if temporal else 1
    run, critics = distil._begin(plan(tmp_path, 9), nets)
    flow, judges = SpyNet().requires_grad_(False), distil.Judges(vgg, some_dists(vgg), critics)
    distilling = distil.Distilling(run, nets, judges, distil.Weights(), flow, 32)
    gt, lq = (x.flatten(0, 1) for x in next(pictures(frames)))
    averaging, heard = torch.zeros(len(gt), 3, 32, 32), torch.tensor(0.2)
    for _ in range(2):  # the first may make constants
        with Watched() as watched:
            figures = distilling.step(kind, gt, lq, averaging, heard)
    assert watched.seen == []
    assert ("mse" in figures) == kind.diffusion and all(f.isfinite().all() for f in figures.values())


def test_the_networks_see_what_averaging_adds(tmp_path, monkeypatch):
    nets, seen = small_nets(), []
    monkeypatch.setattr(nets.vae, "encode", lambda x: seen.append(x) or VideoVAE.encode(nets.vae, x))
    run, _ = distil._begin(plan(tmp_path, 9), nets)
    distilling = distil.Distilling(run, nets, None, distil.Weights(), None, 32)
    gt, lq = (x.flatten(0, 1) for x in next(pictures(1)))
    added = torch.full((len(gt), 3, 32, 32), 0.25)
    distilling.step(distil.Kind(False, False), gt, lq, added, torch.tensor(0.0))
    torch.testing.assert_close(seen[0], (enlarged(lq, (64, 64)) + 0.25).clamp(-1, 1))


def nets_of_one_level() -> sampled.Nets:
    """Make networks with every kind of block once, attention in the middle: tracing takes as long as there are blocks."""
    nets, level = small_nets(), {"channels": (16,), "attention": (False,)}
    torch.manual_seed(0)
    vae = VideoVAE.from_config(nets.vae.config, channels=(16,), fusion_levels=(0,))
    unet, encoder = (type(net).from_config(net.config, **level) for net in (nets.unet, nets.encoder))
    return replace(nets, vae=vae, unet=unet, encoder=encoder)


@pytest.mark.slow
def test_compiled_networks_learn_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(distil, "TWICE", 1.0)  # the networks run with and without gradients
    made, size = {}, {"square_px": 32, "perceptual": False}
    for backend in (None, "aot_eager"):
        steps = replace(plan(tmp_path / str(backend), 2), compile=backend, batch=1)
        made[backend] = distil.train_distilled(
            steps, nets_of_one_level(), averaged_pictures(1), distil.Weights(0.0), **size
        )
    for name in ("vae", "unet"):
        states = [getattr(made[backend], name).state_dict() for backend in made]
        assert states[0].keys() == states[1].keys()
        for key in states[0]:
            torch.testing.assert_close(states[1][key], states[0][key], atol=1e-3, rtol=1e-2)
