"""Winograd's convolutions against torch's, and where they stand in for them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mgld.nets import winograd
from mgld.nets.blocks import shifted
from mgld.nets.winograd import WinogradConv, convolved, kernels_of, quickened
from mgld.pipeline import MGLDPipeline
from mgld.settings import Settings

SIZES = [(1, 5, 7), (3, 8, 8), (2, 1, 1), (2, 13, 30)]  # frames, height, width: sides that are no multiple of a tile's


@pytest.fixture
def conv() -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(96, 112, 3, padding=1).requires_grad_(False)


@pytest.mark.parametrize("at_once", [1, 300, 2**14])
@pytest.mark.parametrize(("n", "height", "width"), SIZES)
@torch.no_grad()
def test_the_result_is_torchs_in_float64(conv, monkeypatch, at_once, n, height, width):
    monkeypatch.setattr(winograd, "AT_ONCE", at_once)  # all tiles together, some, one by one
    x = torch.randn(n, 96, height, width) + 2
    for bias in (conv.bias, None):
        y = convolved(x, kernels_of(conv.weight), bias)
        wanted = F.conv2d(x.double(), conv.weight.double(), None if bias is None else bias.double(), padding=1)
        assert y.shape == wanted.shape and y.is_contiguous(memory_format=torch.channels_last)
        assert (y - wanted).norm() / wanted.norm() < 3e-6


@torch.no_grad()
def test_only_convolutions_that_gain_are_replaced_and_weights_keep_their_names(conv):
    net = nn.Sequential(
        conv, nn.Conv2d(96, 96, 3, padding=1, stride=2), nn.Conv2d(16, 96, 3, padding=1), nn.Conv2d(96, 96, 1)
    )
    net.append(
        nn.Conv2d(640, 640, 3, padding=1, device="meta")
    )  # of the paper's model, whose kernels would fill the memory
    before = {name: value.data_ptr() for name, value in net.state_dict().items()}
    assert [type(layer) for layer in quickened(net)] == [WinogradConv, *[nn.Conv2d] * 4]
    assert {name: value.data_ptr() for name, value in net.state_dict().items()} == before


@pytest.mark.parametrize(("threads", "channels", "is_winograds"), [(1, 64, True), (2, 64, False), (2, 96, True)])
@torch.no_grad()
def test_cores_that_share_the_work_do_so_where_it_is_worth_the_handing_over(
    threads, channels, is_winograds, monkeypatch
):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    asked, convolve = [], winograd.convolved
    monkeypatch.setattr(winograd, "convolved", lambda *given: asked.append(1) or convolve(*given))
    conv = quickened(nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1)))[0].requires_grad_(False)
    x = torch.randn(1, channels, 32, 32)
    torch.testing.assert_close(conv(x), F.conv2d(x, conv.weight, conv.bias, padding=1), atol=1e-4, rtol=0)
    assert bool(asked) == is_winograds


@torch.no_grad()
def test_weights_that_change_are_seen(conv):
    quick, x = quickened(nn.Sequential(conv)), torch.randn(1, 96, 6, 6)
    quick(x)
    conv.weight.mul_(2)
    quick[0].bias.zero_()
    torch.testing.assert_close(quick(x), F.conv2d(x, conv.weight, quick[0].bias, padding=1), atol=1e-4, rtol=0)


def test_gradients_and_other_precisions_go_torchs_way(conv, monkeypatch):
    quick = quickened(nn.Sequential(conv))
    monkeypatch.setattr(winograd, "convolved", None)  # which nobody may call
    x = torch.randn(1, 96, 6, 6, requires_grad=True)
    quick(x).sum().backward()
    assert x.grad is not None
    with torch.no_grad():
        assert quick.to(torch.bfloat16)(x.bfloat16()).dtype == torch.bfloat16


@torch.no_grad()
def test_an_offset_for_all_pixels_rides_on_the_bias_here_too(conv):
    quick, x, offset = quickened(nn.Sequential(conv))[0], torch.randn(2, 96, 6, 6), torch.randn(1, 112)
    torch.testing.assert_close(shifted(quick, x, offset), shifted(conv, x, offset), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("dtype", "quick"), [("float32", True), ("bfloat16", False)])
def test_a_pipeline_is_opened_with_them_where_it_computes_in_float32(
    pipeline, clip_u8, tmp_path, monkeypatch, dtype, quick
):
    pipeline.save_pretrained(tmp_path)
    monkeypatch.setattr(winograd, "PAYS", range(1, 2**18))
    opened = MGLDPipeline.from_pretrained(tmp_path, "cpu", dtype)
    found = [name for name, layer in opened.unet.named_modules() if isinstance(layer, WinogradConv)]
    assert bool(found) == quick
    if quick:
        apart = opened(clip_u8, Settings()).astype(np.int16) - pipeline(clip_u8, Settings())
        assert np.abs(apart).max() <= 1


@torch.no_grad()
def test_few_tiles_go_torchs_way_and_many_do_not(conv, monkeypatch):
    monkeypatch.setattr(winograd, "convolved", lambda x, kernels, bias: "quick")
    quick = quickened(nn.Sequential(conv))[0]
    assert isinstance(quick(torch.randn(1, 96, 8, 8)), torch.Tensor)  # four tiles
    assert quick(torch.randn(4, 96, 8, 8)) == "quick"


@torch.no_grad()
def test_threads_and_calls_do_not_write_over_each_others_results(conv):
    kernels = kernels_of(conv.weight)
    inputs = [torch.randn(1 + i, 96, 9, 13) for i in range(6)]
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda x: convolved(x, kernels, conv.bias), inputs * 4))
    for x, y in zip(inputs * 4, made, strict=True):
        torch.testing.assert_close(y, F.conv2d(x, conv.weight, conv.bias, padding=1), atol=1e-4, rtol=1e-4)


def test_buffers_made_in_inference_mode_serve_outside_of_it(conv, monkeypatch):
    monkeypatch.setattr(winograd, "ROOM", winograd.Room())
    for mode in (torch.inference_mode, torch.no_grad):
        with mode():
            convolved(torch.randn(1, 96, 8, 8), kernels_of(conv.weight), conv.bias)
