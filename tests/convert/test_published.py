"""What is wrong with published files is named in one report, and nothing is written."""

from __future__ import annotations

import pytest
import torch

from mgld.convert.published import Published
from mgld.convert.sd21 import convert_sd21
from mgld.errors import UserError
from tests.convert import published_files as files

FAULTS = {
    "missing": ("mgld_unet", files.without(files.CONV), f"lacks: 1: {files.CONV}"),
    "unknown": (
        "mgld_unet",
        files.having(files.UNET + "surprise", torch.zeros(1)),
        f"unknown: 1: {files.UNET}surprise",
    ),
    "misshapen": (
        "mgld_unet",
        files.having(files.CONV, torch.zeros(3, 4)),
        rf"misshapen: 1: {files.CONV} \(3×4, should be 64×64×3×3\)",
    ),
    "nan": (
        "mgld_unet",
        files.having(files.CONV, torch.full((64, 64, 3, 3), torch.nan)),
        rf"not usable: 1: {files.CONV} \(NaN",
    ),
    "whole numbers": (
        "mgld_unet",
        files.having(files.CONV, torch.zeros(64, 64, 3, 3, dtype=torch.int32)),
        r"\(int32\)",
    ),
    "no tensor": ("mgld_unet", files.having("model.diffusion_model.note", 3), r"note \(no tensor\)"),
    "twice": ("mgld_unet", files.having(f"module.{files.CONV}", torch.zeros(1)), "a second"),
    "strange average": (
        "mgld_unet",
        files.having("model_ema.nothing", torch.zeros(1)),
        "unknown: 1: model_ema.nothing",
    ),
    "a level more": (
        "mgld_unet",
        files.having(files.UNET + "input_blocks.4.0.op.weight", torch.zeros(64, 64, 3, 3)),
        "unknown: 1",
    ),
    "last of a level": (
        "mgld_unet",
        files.without(files.UNET + "input_blocks.2.0.op.weight"),
        r"lacks: 1: .+\.2\.0\.op\.weight",
    ),
    "another latent": (
        "mgld_unet",
        files.having("structcond_stage_model.input_blocks.0.0.weight", torch.zeros(32, 5, 3, 3)),
        "does not fit: 1: structure_encoder has 5 latent channels, the U-Net 4",
    ),
    "text": ("mgld_unet", files.without("cond_stage_model.model.ln_final.bias"), "lacks: 1: .+ln_final.bias"),
    "first stage": (
        "mgld_unet",
        files.without("first_stage_model.decoder.conv_out.bias"),
        "lacks: 1: first_stage_model.decoder",
    ),
    "raft": ("with raft", files.without("flownet_model.fnet.conv1.bias"), "lacks: 1: flownet_model.fnet.conv1.bias"),
    "vae": ("mgld_vae", files.without("encoder.down.1.block.0.conv1.bias"), "lacks: 1: encoder.down.1"),
    "fusion": (
        "mgld_vae",
        files.having("decoder.fusion_layer_9.x", torch.zeros(1)),
        "unknown: 1: decoder.fusion_layer_9.x",
    ),
    "mgld's for stablesr's": ("stablesr_vae", lambda _: files.mgld_vae(), "unknown: 39: decoder.temporal_mixing"),
    "another file": ("mgld_unet", lambda _: files.mgld_vae(), "lacks: 2: all of unet"),
    "not averages": (
        "stablesr",
        files.having(files.UNET + "out.2.bias", torch.zeros(7)),
        r"out.2.bias \(7, should be 4\)",
    ),
}


@pytest.fixture(scope="module")
def states(given) -> dict[str, files.State]:
    """Read the tensors of the given files, to be broken one way after the other; RAFT is left out where it is whole."""
    opened = {name: torch.load(getattr(given, name), weights_only=True)["state_dict"] for name in files.NAMES}
    opened["with raft"] = opened["mgld_unet"]
    opened["mgld_unet"] = {k: v for k, v in opened["mgld_unet"].items() if not k.startswith("flownet_model.")}
    return opened


# One of them is enough for the fast lane.
@pytest.mark.parametrize(
    "fault", ["missing", *(pytest.param(name, marks=pytest.mark.slow) for name in list(FAULTS)[1:])]
)
def test_a_fault_is_named_and_nothing_is_written(given, states, tmp_path, fault):
    name, change, said = FAULTS[fault]
    broken = files.save(tmp_path, "broken", states[name], change)
    role = "mgld_unet" if name == "with raft" else name
    others = vars(given) if role.startswith("stablesr") else vars(given) | {"stablesr": None, "stablesr_vae": None}
    with pytest.raises(UserError, match=f"(?s)Nothing was converted.+broken.ckpt, .*{said}"):
        convert_sd21(Published(**others | {role: broken}), tmp_path / "out")
    assert not list(tmp_path.glob("out*"))


@pytest.mark.slow
def test_faults_of_all_files_stand_in_one_report(given, tmp_path):
    unet = files.save(tmp_path, "unet", files.mgld_unet(), files.without(files.CONV))
    vae = files.save(tmp_path, "vae", files.mgld_vae(), files.without("quant_conv.bias"))
    with pytest.raises(UserError, match=r"(?s)unet.ckpt, lacks.+vae.ckpt, lacks: 1: quant_conv.bias"):
        convert_sd21(Published(unet, vae, head_channels=16), tmp_path / "out")


@pytest.mark.slow
def test_too_large_for_half_precision_is_said(given, tmp_path):
    large = files.save(tmp_path, "large", files.mgld_unet(), files.having(files.CONV, torch.full((64, 64, 3, 3), 1e5)))
    with pytest.raises(UserError, match="1e.05, more than half precision holds"):
        convert_sd21(Published(large, given.mgld_vae), tmp_path / "out")


@pytest.mark.slow
def test_without_a_text_tower_the_report_says_what_to_give(given, tmp_path):
    state = {key: value for key, value in files.mgld_unet().items() if not key.startswith("cond_stage_model.")}
    with pytest.raises(UserError, match="empty prompt's embedding.+--text"):
        convert_sd21(Published(files.save(tmp_path, "unet", state), given.mgld_vae), tmp_path / "out")


def test_a_folder_in_use_and_a_lone_option_are_refused_at_once(given, tmp_path):
    (tmp_path / "mine").write_text("x")
    with pytest.raises(UserError, match="not empty"):
        convert_sd21(given, tmp_path)
    with pytest.raises(UserError, match="--stablesr needs --stablesr-vae"):
        convert_sd21(Published(**vars(given) | {"stablesr_vae": None}), tmp_path / "out")
    with pytest.raises(UserError, match="no file"):
        convert_sd21(Published(**vars(given) | {"raft": tmp_path / "absent"}), tmp_path / "out")
