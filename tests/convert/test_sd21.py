"""`convert sd21`: published files become a folder that opens and runs, or one report says what is wrong with them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.serialization import skip_data
from transformers import CLIPTextConfig, CLIPTextModel

from mgld import settings
from mgld.__main__ import main
from mgld.convert.published import Published
from mgld.convert.sd21 import convert_sd21
from mgld.errors import UserError
from mgld.flow import NETWORKS, load_flow
from mgld.nets import StructureEncoder, VideoUNet, VideoVAE
from mgld.pipeline import MGLDPipeline
from mgld.presets import describe_model
from mgld.settings import Settings
from tests.convert import published_files as files
from tests.convert.test_official import KEYS, published_vae
from tests.parity import golden


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> Published:
    """Write the smallest complete set: MGLD with RAFT inside, and StableSR."""
    folder = tmp_path_factory.mktemp("published")
    raft = {f"flownet_model.{key}": value for key, value in NETWORKS["raft"]().state_dict().items()}
    return Published(
        mgld_unet=files.save(folder, "mgldvsr_unet", files.mgld_unet() | raft),
        mgld_vae=files.save(folder, "video_vae_cfw", files.mgld_vae()),
        stablesr=files.save(folder, "stablesr", files.stablesr()),
        stablesr_vae=files.save(folder, "vqgan_cfw", files.stablesr_vae()),
        dtype="float32",
        head_channels=files.HEAD_CHANNELS,
    )


@pytest.fixture(scope="module")
def folder(given, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("converted") / "sd21"
    convert_sd21(given, out)
    return out


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
def test_flow_comes_out_of_the_checkpoint(folder):
    load_flow("raft", "cpu", folder / "flow")


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


UNET = "model.diffusion_model."
CONV = UNET + "input_blocks.1.0.in_layers.2.weight"


def without(name: str) -> Callable:
    return lambda state: {key: value for key, value in state.items() if key != name}


def having(name: str, value: object) -> Callable:
    return lambda state: state | {name: value}


FAULTS = {
    "missing": ("mgld_unet", without(CONV), f"lacks: 1: {CONV}"),
    "unknown": ("mgld_unet", having(UNET + "surprise", torch.zeros(1)), f"unknown: 1: {UNET}surprise"),
    "misshapen": ("mgld_unet", having(CONV, torch.zeros(3, 4)), rf"misshapen: 1: {CONV} \(3×4, should be 64×64×3×3\)"),
    "nan": ("mgld_unet", having(CONV, torch.full((64, 64, 3, 3), torch.nan)), rf"not usable: 1: {CONV} \(NaN"),
    "whole numbers": ("mgld_unet", having(CONV, torch.zeros(64, 64, 3, 3, dtype=torch.int32)), r"\(int32\)"),
    "no tensor": ("mgld_unet", having("model.diffusion_model.note", 3), r"note \(no tensor\)"),
    "twice": ("mgld_unet", having(f"module.{CONV}", torch.zeros(1)), "a second"),
    "strange average": ("mgld_unet", having("model_ema.nothing", torch.zeros(1)), "unknown: 1: model_ema.nothing"),
    "a level more": ("mgld_unet", having(UNET + "input_blocks.4.0.op.weight", torch.zeros(64, 64, 3, 3)), "unknown: 1"),
    "last of a level": ("mgld_unet", without(UNET + "input_blocks.2.0.op.weight"), r"lacks: 1: .+\.2\.0\.op\.weight"),
    "another latent": (
        "mgld_unet",
        having("structcond_stage_model.input_blocks.0.0.weight", torch.zeros(32, 5, 3, 3)),
        "does not fit: 1: structure_encoder has 5 latent channels, the U-Net 4",
    ),
    "text": ("mgld_unet", without("cond_stage_model.model.ln_final.bias"), "lacks: 1: .+ln_final.bias"),
    "first stage": (
        "mgld_unet",
        without("first_stage_model.decoder.conv_out.bias"),
        "lacks: 1: first_stage_model.decoder",
    ),
    "raft": ("with raft", without("flownet_model.fnet.conv1.bias"), "lacks: 1: flownet_model.fnet.conv1.bias"),
    "vae": ("mgld_vae", without("encoder.down.1.block.0.conv1.bias"), "lacks: 1: encoder.down.1"),
    "fusion": ("mgld_vae", having("decoder.fusion_layer_9.x", torch.zeros(1)), "unknown: 1: decoder.fusion_layer_9.x"),
    "mgld's for stablesr's": ("stablesr_vae", lambda _: files.mgld_vae(), "unknown: 39: decoder.temporal_mixing"),
    "another file": ("mgld_unet", lambda _: files.mgld_vae(), "lacks: 2: all of unet"),
    "not averages": ("stablesr", having(UNET + "out.2.bias", torch.zeros(7)), r"out.2.bias \(7, should be 4\)"),
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
    unet = files.save(tmp_path, "unet", files.mgld_unet(), without(CONV))
    vae = files.save(tmp_path, "vae", files.mgld_vae(), without("quant_conv.bias"))
    with pytest.raises(UserError, match=r"(?s)unet.ckpt, lacks.+vae.ckpt, lacks: 1: quant_conv.bias"):
        convert_sd21(Published(unet, vae, head_channels=16), tmp_path / "out")


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
def test_too_large_for_half_precision_is_said(given, tmp_path):
    large = files.save(tmp_path, "large", files.mgld_unet(), having(CONV, torch.full((64, 64, 3, 3), 1e5)))
    with pytest.raises(UserError, match="1e.05, more than half precision holds"):
        convert_sd21(Published(large, given.mgld_vae), tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["module.", "model.", "module.model."])
def test_prefixes_of_wrappers_are_understood(given, tmp_path, prefix, folder):
    unet = files.save(tmp_path, "unet", {prefix + key: value for key, value in files.mgld_unet().items()})
    vae = files.save(tmp_path, "vae", {prefix + key: value for key, value in files.mgld_vae().items()})
    convert_sd21(Published(unet, vae, dtype="float32", head_channels=16), tmp_path / "out")
    for net in ("unet", "structure_encoder", "vae"):
        file = f"{net}/diffusion_pytorch_model.safetensors"
        ours, same = load_file(tmp_path / "out" / file), load_file(folder / file)
        assert ours.keys() == same.keys() and all(torch.equal(ours[key], same[key]) for key in ours)


@pytest.mark.slow
@pytest.mark.parametrize("taken", [False, True])
def test_moving_averages_are_left_or_taken_as_asked(given, tmp_path, taken):
    name, state = UNET + "out.2.bias", files.mgld_unet()
    copies = {"model_ema.diffusion_modelout2bias": torch.full((4,), 7.0), "model_ema.decay": torch.tensor(0.999)}
    unet = files.save(tmp_path, "unet", state | copies)
    manifest = convert_sd21(Published(unet, given.mgld_vae, average=taken), tmp_path / "out")
    stored = load_file(tmp_path / "out" / "unet" / "diffusion_pytorch_model.safetensors")["backbone.conv_out.bias"]
    assert torch.equal(stored, torch.full((4,), 7.0).half() if taken else state[name].half())
    assert {"model_ema.*": 2}.items() <= {i["names"]: i["count"] for i in manifest["left"]["mgld_unet"]}.items()


@pytest.mark.slow
def test_an_autoencoder_that_differs_is_told(given, tmp_path):
    name = "first_stage_model.encoder.conv_in.bias"
    unet = files.save(tmp_path, "unet", files.mgld_unet(), having(name, torch.ones(32)))
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


@pytest.mark.slow
def test_the_command_tells_what_was_left(given, tmp_path, capsys):
    words = ["convert", "sd21", "--mgld-unet", str(given.mgld_unet), "--mgld-vae", str(given.mgld_vae)]
    assert main([*words, "--head-channels", "16", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().err
    assert "mgldvsr_unet.ckpt: 12 left, the noise schedule: recomputed" in said and "--model" in said


def full_size() -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Return every tensor of the published MGLD files at its size, as memory that nobody has touched."""
    parts = {"model.diffusion_model.": KEYS["unet"], "structcond_stage_model.": KEYS["structcond"]}
    parts |= {"first_stage_model.": published_vae("dec"), "flownet_model.": KEYS["raft"]}
    unet = {prefix + key: shape for prefix, keys in parts.items() for key, shape in keys.items()}
    unet |= {f"cond_stage_model.model.{key}": shape for key, shape in openclip_shapes().items()}

    def empty(name: str, shape: list[int]) -> torch.Tensor:
        return torch.empty(shape, dtype=torch.int64 if name.endswith("num_batches_tracked") else torch.float32)

    return ({n: empty(n, s) for n, s in keys.items()} for keys in (unet, published_vae("vdec")))


def openclip_shapes() -> dict[str, list[int]]:
    """Return the shapes of ViT-H-14's text tower (spec §2.2)."""
    shapes = {
        "positional_embedding": [77, 1024],
        "token_embedding.weight": [49408, 1024],
        "text_projection": [1024, 1024],
    }
    shapes |= {"logit_scale": [], "ln_final.weight": [1024], "ln_final.bias": [1024]}
    layer = {"attn.in_proj_weight": [3072, 1024], "attn.in_proj_bias": [3072], "attn.out_proj.weight": [1024, 1024]}
    layer |= {"attn.out_proj.bias": [1024], "mlp.c_fc.weight": [4096, 1024], "mlp.c_fc.bias": [4096]}
    layer |= {"mlp.c_proj.weight": [1024, 4096], "mlp.c_proj.bias": [1024]}
    layer |= {f"ln_{i}.{kind}": [1024] for i in (1, 2) for kind in ("weight", "bias")}
    return shapes | {f"transformer.resblocks.{i}.{k}": s for i in range(24) for k, s in layer.items()}


MEASURED = """
import resource, sys
from mgld.__main__ import main
code = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
sys.exit(code)
"""


@pytest.mark.slow
def test_files_of_full_size_are_streamed(tmp_path):
    """Every tensor of the key list at its size, in sparse files of zeros: all is used or left, and memory stays low."""
    paths = []
    for name, state in zip(("unet", "vae"), full_size(), strict=True):
        with skip_data():  # leaves holes instead of numbers
            paths.append(files.save(tmp_path, name, state))
    command = ["convert", "sd21", "--mgld-unet", str(paths[0]), "--mgld-vae", str(paths[1]), str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *command], capture_output=True, text=True, cwd=settings.ASSETS.parent,
        env=os.environ | {"OMP_NUM_THREADS": "2"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) <= 1.5 * paths[0].stat().st_size
    with torch.device("meta"):
        nets = {"unet": VideoUNet(), "structure_encoder": StructureEncoder(), "vae": VideoVAE()}
    for name, net in nets.items():
        index = json.loads((tmp_path / "out" / name / "config.json").read_text())
        stored = {key: tuple(v) if isinstance(v, list) else v for key, v in index.items() if not key.startswith("_")}
        assert stored == {key: v for key, v in net.config.items() if not key.startswith("_")}
    assert len(list((tmp_path / "out" / "unet").glob("*.safetensors"))) > 1
