"""The layers of our own where they differ from the obvious form."""

from __future__ import annotations

import pytest
import torch

from mgld.nets import VideoVAE
from mgld.nets.layers import CanvasGate, TemporalConv
from mgld.nets.vae import SMOOTH, _smooth
from mgld.presets import TINY
from tests.small import small_vae


def moved(channels: int = 6) -> TemporalConv:
    torch.manual_seed(0)
    layer = TemporalConv(channels)
    layer.temporal_alpha.data.fill_(0.3)
    return layer


@pytest.mark.parametrize("frames", [1, 2, 5])
@torch.no_grad()
def test_a_temporal_convolution_is_conv1d_over_the_frames_of_each_clip(frames):
    layer, x = moved(), torch.randn(2 * frames, 6, 4, 3)
    lines = x.unflatten(0, (2, frames)).permute(0, 3, 4, 2, 1).reshape(-1, 6, frames)  # [B·h·w,C,T]
    mixed = layer.temporal_conv(lines).reshape(2, 4, 3, 6, frames).permute(0, 4, 3, 1, 2).flatten(0, 1)
    torch.testing.assert_close(layer(x, frames), 0.3 * mixed + 0.7 * x, atol=1e-5, rtol=0)


def test_it_learns_under_autocast_too():
    layer, x = moved(), torch.randn(6, 6, 4, 3)
    with torch.autocast("cpu", torch.bfloat16):
        layer(x, 3).float().square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in layer.parameters())


@pytest.mark.parametrize("temporal", [True, False])
def test_a_cpu_codes_frame_by_frame_what_training_codes_together(temporal):
    torch.manual_seed(0)
    vae = VideoVAE(**TINY["vae"] | {"channels": (16, 32)}).eval()
    for parameter in vae.temporal_parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    x = torch.rand(3, 3, 32, 32) * 2 - 1
    together, features = vae.encode(x)
    pictures = vae.decode(together.mean, features, 3, temporal=temporal)
    with torch.no_grad():
        one_by_one, same_features = vae.encode(x)
        torch.testing.assert_close(one_by_one.mean, together.mean, atol=1e-5, rtol=0)
        same = vae.decode(one_by_one.mean, same_features, 3, temporal=temporal)
    torch.testing.assert_close(same, pictures, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("bias", "share"), [(-50, 0.0), (0, 0.5), (50, 1.0)])
def test_a_gate_puts_its_share_of_the_canvas_in_place_of_the_picture(bias, share):
    gate, x, canvas = CanvasGate(8, patch=4), torch.randn(2, 3, 16, 24), torch.randn(2, 3, 16, 24)
    torch.nn.init.constant_(gate.share.bias, bias)
    h = torch.randn(2, 8, 4, 6)
    torch.testing.assert_close(gate(h, x, canvas, 1.0), torch.lerp(x, canvas, share))
    torch.testing.assert_close(gate(h, x, canvas, 0.5), torch.lerp(x, canvas, share / 2))


@torch.no_grad()
def test_an_open_gate_shows_the_canvas_and_no_fidelity_shuts_it():
    torch.manual_seed(0)
    vae = small_vae(canvas_gate=True).eval()
    torch.nn.init.constant_(vae.gate.share.bias, 50)
    x = torch.rand(2, 3, 32, 32) * 2 - 1
    latents, features = vae.encode(x)
    torch.testing.assert_close(vae.decode(latents.mean, features, 2), x)
    without = vae.decode(latents.mean, features, 2, fidelity=0.0)
    torch.testing.assert_close(without, vae.decode(latents.mean, None, 2))
    assert (without - x).abs().mean() > 0.1


@pytest.mark.parametrize(("power", "kept"), [(2, 0.5), (4, 0.75)])
def test_an_unfolded_picture_holds_no_chequerboard_and_keeps_what_is_smooth(power, kept):
    taps = SMOOTH[power]
    board = ((torch.arange(16)[:, None] + torch.arange(16)) % 2).float().expand(1, 3, -1, -1)
    inside = (..., slice(3, -3), slice(3, -3))
    assert _smooth(board, taps)[inside].std() < 1e-6
    ramp = torch.linspace(-1, 1, 16).expand(1, 3, 16, -1)
    torch.testing.assert_close(_smooth(ramp, taps)[inside], ramp[inside], atol=1e-6, rtol=0)
    stripes = torch.tensor([1.0, 0, -1, 0]).repeat(4).expand(1, 3, 16, -1)  # period 4: 1 - sinⁿ(π/4) of it stays
    torch.testing.assert_close(_smooth(stripes, taps)[inside], kept * stripes[inside], atol=1e-6, rtol=0)
