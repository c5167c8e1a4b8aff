"""The cleaning front-end: it begins as nothing, keeps to its shapes, and is seen by the autoencoder alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mgld.events import Result
from mgld.nets import Cleaner
from mgld.nets.cleaner import cleaned
from mgld.settings import Settings
from tests.test_pipeline import QUICK, frames_of


def loud_cleaner() -> Cleaner:
    """Make a cleaner that changes a lot."""
    torch.manual_seed(1)
    net = Cleaner(8, 2).requires_grad_(False)
    net.last.weight.normal_(0, 0.1)
    net.last.bias.fill_(0.2)
    return net


def test_a_fresh_cleaner_changes_nothing():
    lq, enlarged = torch.rand(2, 3, 6, 5) * 2 - 1, torch.rand(2, 3, 24, 20) * 2 - 1
    missing = Cleaner(8, 1)(lq)
    assert missing.shape == enlarged.shape
    torch.testing.assert_close(cleaned(enlarged, missing), enlarged, rtol=0, atol=0)


def test_frames_are_cleaned_alike_alone_and_together():
    net, lq = loud_cleaner(), torch.rand(3, 3, 6, 5) * 2 - 1
    with torch.no_grad():
        alone = net(lq)
    torch.testing.assert_close(net(lq), alone)
    assert float(cleaned(torch.ones(3, 3, 24, 20), alone).max()) == 1  # in [-1,1] whatever it asks for


@pytest.mark.parametrize("canvas", ["cleaned", "bicubic"])
def test_what_the_networks_see_is_a_setting_and_the_report_tells(pipeline, clip_u8, canvas):
    plain = pipeline(clip_u8, QUICK)
    pipeline.cleaner = loud_cleaner()
    wanted = replace(QUICK, canvas=canvas)
    events = list(pipeline.run(frames_of(clip_u8), wanted))
    assert (pipeline(clip_u8, wanted) == plain).all() == (canvas == "bicubic")
    assert [e.report["canvas"] for e in events if isinstance(e, Result)] == [canvas]


def test_a_model_without_a_cleaner_says_that_it_only_enlarges(pipeline, clip_u8):
    assert Settings().canvas == "cleaned" and pipeline.cleaner is None
    assert list(pipeline.run(frames_of(clip_u8), QUICK))[-1].report["canvas"] == "bicubic"


def test_motion_and_colours_come_from_the_input_itself(pipeline, clip_u8):
    """A cleaner may not lead guidance astray, nor give a cast: both read the frames as they came."""
    pipeline.cleaner = loud_cleaner()
    wanted = replace(QUICK, flat="free")
    reddish, greyish = (pipeline(clip_u8, replace(wanted, canvas=canvas)) for canvas in ("cleaned", "bicubic"))
    assert abs(reddish.mean((0, 1, 2)) - greyish.mean((0, 1, 2))).max() < 3


def test_a_model_folder_keeps_its_cleaner(pipeline, clip_u8, tmp_path):
    pipeline.cleaner = loud_cleaner()
    for name in ("vae", "unet", "structure_encoder", "cleaner", "scheduler"):
        getattr(pipeline, name).save_pretrained(tmp_path / name)
    again = type(pipeline).from_pretrained(tmp_path, device="cpu", dtype="float32")
    # Loading lays weights out channels-last, which may round the last bit differently; without its cleaner all would be another.
    assert np.abs(again(clip_u8, QUICK).astype(int) - pipeline(clip_u8, QUICK)).max() <= 1
