"""`convert sd21`: published files become a folder that opens and runs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel

from mgld.__main__ import main
from mgld.convert.published import Published
from mgld.convert.sd21 import convert_sd21
from mgld.nets import VideoVAE
from mgld.pipeline import MGLDPipeline
from mgld.presets import describe_model
from mgld.settings import Settings
from mgld.stages.motion import flow_network
from tests.convert import published_files as files
from tests.parity import golden


@torch.no_grad()
def test_converted_networks_give_what_the_published_classes_give(folder):
    pipeline = MGLDPipeline.from_pretrained(folder, "cpu", "float32")
    tensors, meta = golden.load("01a_unet_video_io")
    widths = sorted((int(k.split(".")[1]) for k in tensors if k.startswith("struct.")), reverse=True)
    y = pipeline.unet(
        tensors["x"], tensors["t1"], [tensors[f"struct.{w}"] for w in widths], meta["num_frames"], text=tensors["ctx"]
    )
    torch.testing.assert_close(y, tensors["y_t1"], atol=2e-5 * float(tensors["y_t1"].abs().max()), rtol=1e-5)
    tensors, _ = golden.load("03_vae_video_io")
    torch.testing.assert_close(pipeline.vae.encode(tensors["x"])[0].mode(), tensors["mean"], atol=1e-4, rtol=1e-4)


def test_the_empty_prompt_is_what_openclip_makes_of_it(folder):
    text = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")["text"]
    torch.testing.assert_close(text, files.make_tower().penultimate(), atol=1e-5, rtol=1e-5)
    own = load_file(folder / "stablesr" / "unet" / "diffusion_pytorch_model.safetensors")["text"]
    assert torch.equal(own, text)  # its file has no tower


@pytest.mark.parametrize("system", ["", pytest.param("stablesr", marks=pytest.mark.slow)])
def test_a_converted_folder_runs_a_clip(folder, system, clip_u8):
    pipeline = MGLDPipeline.from_pretrained(folder / system, "cpu", "float32")
    pipeline.unet.register_to_config(sample_size=16, smallest_sample=8)  # 64 takes its time on a CPU
    method = "per_frame" if system else "mgld"
    made = pipeline(clip_u8[:2], Settings(method=method, steps=1, segment=2, overlap=1))
    assert made.shape == (2, 80, 96, 3) and made.std() > 0


@pytest.mark.slow
def test_stablesr_is_mgld_without_temporal_layers(folder):
    state = load_file(folder / "stablesr" / "unet" / "diffusion_pytorch_model.safetensors")
    assert not any(value.any() for name, value in state.items() if name.startswith("temporal"))
    assert VideoVAE.from_pretrained(folder / "stablesr" / "vae").config.fusion_block == "rrdb"


@pytest.mark.slow
def test_flow_comes_out_of_the_checkpoint_and_is_followed(folder, given):
    own = flow_network(MGLDPipeline.from_pretrained(folder, "cpu", "float32").networks, Settings(flow="raft"))
    kernel = torch.load(given.mgld_unet)["state_dict"]["flownet_model.fnet.conv1.weight"]
    torch.testing.assert_close(own.state_dict()["fnet.conv1.weight"], kernel, atol=1e-3, rtol=1e-3)


def test_the_manifest_names_every_file_and_what_was_left(folder, given):
    manifest = json.loads((folder / "manifest.json").read_text())
    written = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert set(manifest["outputs"]) == written - {"manifest.json"}
    for name, file in manifest["outputs"].items():
        assert file["sha256"] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    assert manifest["inputs"]["mgld_vae"]["sha256"] == hashlib.sha256(given.mgld_vae.read_bytes()).hexdigest()
    left = {item["names"]: item for item in manifest["left"]["mgld_unet"]}
    assert left["the noise schedule"]["count"] == 12 and "equal" in left["first_stage_model.*"]["why"]
    assert {"sha256": describe_model(str(folder))["sha256"]["vae/diffusion_pytorch_model.safetensors"]}.items() <= (
        manifest["outputs"]["vae/diffusion_pytorch_model.safetensors"].items()
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_and_shared_numbers_are_taken(given, tmp_path, kind):
    one = torch.full((), 0.5, dtype=kind)  # all tensors are views of one number
    unet, vae = ({k: one.expand(v.shape) for k, v in state.items()} for state in (files.mgld_unet(), files.mgld_vae()))
    paths = [files.save(tmp_path, "unet", unet), files.save(tmp_path, "vae", vae)]
    convert_sd21(Published(*paths, dtype="float32", head_channels=16), tmp_path / "out")
    stored = load_file(tmp_path / "out" / "unet" / "diffusion_pytorch_model.safetensors")
    assert all((value == 0.5).all() for name, value in stored.items() if name != "text")


@pytest.mark.slow
def test_prefixes_of_wrappers_are_understood(tmp_path, folder):
    unet = files.save(tmp_path, "unet", {f"module.model.{key}": value for key, value in files.mgld_unet().items()})
    vae = files.save(tmp_path, "vae", {f"model.{key}": value for key, value in files.mgld_vae().items()})
    convert_sd21(Published(unet, vae, dtype="float32", head_channels=16), tmp_path / "out")
    for net in ("unet", "structure_encoder", "vae"):
        file = f"{net}/diffusion_pytorch_model.safetensors"
        ours, same = load_file(tmp_path / "out" / file), load_file(folder / file)
        assert ours.keys() == same.keys() and all(torch.equal(ours[key], same[key]) for key in ours)


@pytest.mark.slow
@pytest.mark.parametrize("taken", [False, True])
def test_moving_averages_are_left_or_taken_as_asked(given, tmp_path, taken):
    name, state = files.UNET + "out.2.bias", files.mgld_unet()
    copies = {"model_ema.diffusion_modelout2bias": torch.full((4,), 7.0), "model_ema.decay": torch.tensor(0.999)}
    unet = files.save(tmp_path, "unet", state | copies)
    manifest = convert_sd21(Published(unet, given.mgld_vae, average=taken), tmp_path / "out")
    stored = load_file(tmp_path / "out" / "unet" / "diffusion_pytorch_model.safetensors")["backbone.conv_out.bias"]
    assert torch.equal(stored, torch.full((4,), 7.0).half() if taken else state[name].half())
    assert {"model_ema.*": 2}.items() <= {i["names"]: i["count"] for i in manifest["left"]["mgld_unet"]}.items()


@pytest.mark.slow
def test_an_autoencoder_that_differs_is_told(given, tmp_path):
    name = "first_stage_model.encoder.conv_in.bias"
    unet = files.save(tmp_path, "unet", files.mgld_unet(), files.having(name, torch.ones(32)))
    manifest = convert_sd21(Published(unet, given.mgld_vae), tmp_path / "out")
    assert any("1 tensors differ" in note and name in note for note in manifest["notes"])
    own, shared = (VideoVAE.from_pretrained(tmp_path / "out" / part).backbone for part in ("first_stage", "vae"))
    assert (own.encoder.conv_in.bias == 1).all() and not (shared.encoder.conv_in.bias == 1).all()
    assert torch.equal(own.encoder.conv_in.weight, shared.encoder.conv_in.weight)


def text_encoder(folder: Path) -> torch.Tensor:
    """Save the tower as diffusers keeps it; return what it makes of nothing."""
    config = CLIPTextConfig(
        vocab_size=files.VOCABULARY, hidden_size=files.WIDTH, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=3, max_position_embeddings=files.TOKENS, hidden_act="gelu", bos_token_id=38, eos_token_id=39,
    )  # fmt: skip
    net = CLIPTextModel(config).eval()
    net.save_pretrained(folder)
    return net(torch.tensor([[38, 39, 0, 0, 0, 0, 0]])).last_hidden_state.detach()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["folder", "openclip", "stored", "safetensors"])
def test_the_empty_prompt_comes_from_elsewhere(given, tmp_path, kind):
    state = {key: value for key, value in files.mgld_unet().items() if not key.startswith("cond_stage_model.")}
    unet, source, tower = files.save(tmp_path, "unet", state), tmp_path / "text", files.make_tower()
    expected = tower.penultimate()
    if kind == "folder":
        expected = text_encoder(source)
    elif kind == "openclip":
        torch.save(tower.state_dict() | {"visual.proj": torch.zeros(3)}, source)
    elif kind == "stored":
        torch.save(expected[0], source)
    else:
        source = source.with_suffix(".safetensors")
        save_file({"text": expected}, source)
    convert_sd21(Published(unet, given.mgld_vae, text=source, dtype="float32"), tmp_path / "out")
    stored = load_file(tmp_path / "out" / "unet" / "diffusion_pytorch_model.safetensors")["text"]
    torch.testing.assert_close(stored, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
def test_the_command_tells_what_was_left(given, tmp_path, capsys):
    words = ["convert", "sd21", "--mgld-unet", str(given.mgld_unet), "--mgld-vae", str(given.mgld_vae)]
    assert main([*words, "--head-channels", "16", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().err
    assert "mgldvsr_unet.ckpt: 12 left, the noise schedule: recomputed" in said and "--model" in said
