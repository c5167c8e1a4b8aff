"""The mean of two models' weights: between both, tensor by tensor, and of models of one shape alone."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDPMScheduler

from mgld.__main__ import main
from mgld.errors import UserError
from mgld.nets.loading import open_net
from mgld.presets import TINY
from mgld.training.average import average
from tests.small import small_structure_encoder, small_unet, small_vae

NETWORKS = {"vae": small_vae, "unet": small_unet, "structure_encoder": small_structure_encoder}


def model(folder, seed: int, **changes):
    """Write a small model whose temporal layers are not nothing either."""
    torch.manual_seed(seed)
    for name, network in NETWORKS.items():
        net = network(**(changes if name == "vae" else {}))
        for parameter in net.parameters():
            torch.nn.init.normal_(parameter)
        net.save_pretrained(folder / name)
    DDPMScheduler(**TINY["scheduler"]).save_pretrained(folder / "scheduler")
    return folder


@pytest.mark.parametrize("temporal", [0.25, -0.5])
def test_every_tensor_lies_on_the_line_through_both(tmp_path, temporal):
    first, second = (model(tmp_path / str(seed), seed) for seed in (1, 2))
    shares = ["--share", "0.75", "--temporal-share", str(temporal)]
    main(["train", "average", str(first), str(second), *shares, "--model", str(tmp_path / "mean")])
    for name in NETWORKS:
        a, b, mean = (
            open_net(folder, name, torch.float32).state_dict() for folder in (first, second, tmp_path / "mean")
        )
        assert str(tmp_path) not in (tmp_path / "mean" / name / "config.json").read_text()
        for key, value in mean.items():
            share = temporal if "temporal" in key else 0.75
            torch.testing.assert_close(value, (1 - share) * a[key] + share * b[key], atol=2e-3, rtol=1e-3)  # in half
    assert (
        DDPMScheduler.from_pretrained(tmp_path / "mean", subfolder="scheduler").config.prediction_type == "v_prediction"
    )


def test_models_of_other_shapes_have_no_mean(tmp_path):
    first, second = model(tmp_path / "a", 1), model(tmp_path / "b", 2, canvas_gate=True)
    with pytest.raises(UserError, match="vae in .* has other tensors"):
        average(first, second, 0.5, 0.5, tmp_path / "mean")
    assert not (tmp_path / "mean").exists()


@pytest.mark.parametrize(("option", "share"), [("--share", "0"), ("--share", "nan"), ("--temporal-share", "-1.5")])
def test_a_share_that_is_none_is_refused_before_anything_is_loaded(tmp_path, option, share, capsys):
    assert main(["train", "average", "a", "b", option, share, "--model", str(tmp_path)]) != 0
    assert option in capsys.readouterr().err
