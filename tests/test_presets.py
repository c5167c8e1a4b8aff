"""The two presets, and model folders that are not what they claim."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import load_file, save_file

from mgld import host, presets
from mgld.errors import UserError
from mgld.nets import StructureEncoder, VideoUNet, VideoVAE
from mgld.pipeline import MGLDPipeline
from mgld.presets import SD21, TINY, describe_model, folder_of, local_folder, name_of, offered


def count(parameters) -> int:
    return sum(p.numel() for p in parameters)


@pytest.mark.slow
def test_sd21_has_the_published_size():
    with torch.device("meta"):
        unet, structure, vae = VideoUNet(**SD21["unet"]), StructureEncoder(), VideoVAE()
    assert count(unet.parameters()) == 935_321_287
    assert count(structure.parameters()) == 52_494_080
    assert count(vae.temporal_parameters()) == 6_247_053
    assert count(vae.fusion.parameters()) == 25_072_896


@pytest.mark.parametrize("name", ["vae", "unet", "structure_encoder"])
def test_shipped_weights_are_the_preset_and_finite(name):
    net = {"vae": VideoVAE, "unet": VideoUNet, "structure_encoder": StructureEncoder}[name]
    shipped = net.from_pretrained(folder_of("tiny"), subfolder=name, low_cpu_mem_usage=False)
    for key, value in TINY[name].items():
        if key != "scaling_factor":
            stored = shipped.config[key]
            assert (tuple(stored) if isinstance(stored, list) else stored) == value, key
    assert all(torch.isfinite(p).all() for p in shipped.parameters())


def test_shipped_models_fit_the_promise():
    sizes = [f.stat().st_size for f in (host.MODELS / "tiny").rglob("*.safetensors")]
    assert sizes and max(sizes) < 10_000_000 and sum(sizes) < 64_000_000


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:5000])


def edited(change) -> Callable[[Path], None]:
    return lambda file: save_file(change(load_file(file)), file)


ALPHA = "temporal_first.temporal_alpha"
DAMAGE = {
    "absent": (Path.unlink, "missing"),
    "empty": (lambda file: file.write_bytes(b""), "damaged"),
    "cut": (cut, "damaged"),
    "pointer": (lambda file: file.write_text("version https://git-lfs.github.com/spec/v1\n"), "damaged"),
    "lacking": (edited(lambda state: {k: v for k, v in state.items() if "conv_out" not in k}), "lacks 2 tensors"),
    "surplus": (edited(lambda state: state | {"surprise": torch.zeros(3)}), "1 unknown ones, e.g. surprise"),
    "misshapen": (edited(lambda state: state | {ALPHA: torch.zeros(3)}), "another network"),
    "not finite": (edited(lambda state: state | {ALPHA: torch.full((1,), torch.nan)}), "not finite"),
}


@pytest.mark.parametrize("damage", list(DAMAGE))
def test_damaged_weights_are_one_sentence(tmp_path, pipeline, damage):
    pipeline.save_pretrained(tmp_path)
    change, word = DAMAGE[damage]
    change(tmp_path / "unet" / "diffusion_pytorch_model.safetensors")
    with pytest.raises(UserError, match=f"unet.*{word}"):
        MGLDPipeline.from_pretrained(tmp_path, "cpu", "float32")


def test_a_pickle_is_never_opened(tmp_path, pipeline):
    pipeline.save_pretrained(tmp_path)
    (tmp_path / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    torch.save(pipeline.unet.state_dict(), tmp_path / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(UserError, match="unet"):
        MGLDPipeline.from_pretrained(tmp_path, "cpu", "float32")


def test_a_missing_schedule_is_a_sentence(tmp_path, pipeline):
    pipeline.save_pretrained(tmp_path)
    (tmp_path / "scheduler" / "scheduler_config.json").unlink()
    with pytest.raises(UserError, match="scheduler"):
        MGLDPipeline.from_pretrained(tmp_path, "cpu", "float32")


def test_model_identity_is_its_hashes():
    described = describe_model("tiny")
    assert described["name"] == "tiny" and all(len(h) == 64 for h in described["sha256"].values())


def test_weights_are_hashed_once_and_again_when_they_are_written(tmp_path, monkeypatch):
    weights, read = tmp_path / "unet" / "net.safetensors", []
    monkeypatch.setattr(presets, "sha256_of", lambda file: read.append(file) or f"hash {len(read)}")
    for part in ("unet", "vae"):
        (tmp_path / part).mkdir()
    weights.write_bytes(b"first")
    told = [describe_model(str(tmp_path))["sha256"] for _ in range(2)]
    weights.write_bytes(b"other")
    os.utime(weights, ns=(1, 1))  # a disk may count time in steps longer than this test
    told.append(describe_model(str(tmp_path))["sha256"])
    assert told == [{"unet/net.safetensors": f"hash {n}"} for n in (1, 1, 2)] and read == [weights] * 2


def test_a_manifest_spares_reading_what_was_not_touched_since(tmp_path, pipeline):
    pipeline.save_pretrained(tmp_path)
    name = "vae/diffusion_pytorch_model.safetensors"
    real, size = describe_model(str(tmp_path))["sha256"], (tmp_path / name).stat().st_size
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"outputs": {name: {"bytes": size, "sha256": "recorded"}}}))
    assert describe_model(str(tmp_path))["sha256"] == real | {name: "recorded"}
    newer = manifest.stat().st_mtime_ns + 1
    os.utime(tmp_path / name, ns=(newer, newer))
    assert describe_model(str(tmp_path))["sha256"] == real
    manifest.write_text("[]")
    assert describe_model(str(tmp_path))["sha256"] == real


def test_names_that_are_no_model_are_refused(tmp_path):
    for name in ("nonsense", str(tmp_path)):
        with pytest.raises(UserError, match="Name tiny"):
            folder_of(name)


def on_hub(monkeypatch, folder: Path) -> list[dict]:
    """Stand for the Hub's client; return what it is asked for."""
    asked = []

    def snapshot_download(repo, **options):
        asked.append({"repo": repo, **options})
        if folder is None:
            raise LocalEntryNotFoundError("no network, nothing cached")
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    return asked


def test_a_model_of_the_hub_is_opened_at_its_revision_and_from_safetensors_alone(
    pipeline, clip_u8, tmp_path, monkeypatch
):
    folder = tmp_path / "snapshots" / "0123abc"
    pipeline.save_pretrained(folder)
    asked = on_hub(monkeypatch, folder)
    opened = MGLDPipeline.from_pretrained("me/weights@0123abc", "cpu", "float32")
    assert np.array_equal(opened(clip_u8[:1]), MGLDPipeline.from_pretrained(folder, "cpu", "float32")(clip_u8[:1]))
    assert asked[0]["repo"] == "me/weights" and asked[0]["revision"] == "0123abc"
    assert asked[0]["allow_patterns"] == ["*.json", "*.safetensors"]
    described = describe_model("me/weights@0123abc")
    assert described["revision"] == "0123abc" and len(described["sha256"]) == 3 and asked[-1]["local_files_only"]


def test_without_a_network_a_model_of_the_hub_is_one_sentence(monkeypatch):
    on_hub(monkeypatch, None)
    with pytest.raises(UserError, match="me/weights cannot be reached on the Hub"):
        local_folder("me/weights")


@pytest.mark.parametrize("name", ["me/weights/more", "me", "me/we ights", "me/weights@", "/me/weights", "../weights/x"])
def test_what_is_no_name_of_a_model_is_refused_before_anybody_is_asked(name):
    with pytest.raises(UserError, match="OWNER/NAME of a Hub repository, with @REVISION or without"):
        local_folder(name)


def test_visitors_may_choose_what_the_host_names_and_nothing_else(tmp_path, monkeypatch):
    mine = tmp_path / "mine"
    (mine / "unet").mkdir(parents=True)
    monkeypatch.setattr(host, "PAGE_MODELS", (str(mine), "me/weights@0123abc"))
    assert offered("sd21") == {
        "tiny": "tiny", "sd21": "sd21", "mine": str(mine), "me/weights@0123abc": "me/weights@0123abc",
    }  # fmt: skip
    assert name_of(mine) == "mine"  # where it lies is nobody's business
    monkeypatch.setattr(host, "PAGE_MODELS", (str(mine), str(mine / ".." / "other" / "mine")))
    (tmp_path / "other" / "mine").mkdir(parents=True)
    with pytest.raises(UserError, match="Two models would be called mine"):
        offered("tiny")


def test_a_hosts_folder_called_sd21_is_its_sd21(tmp_path):
    (tmp_path / "sd21").mkdir()
    assert offered(str(tmp_path / "sd21"))["sd21"] == str(tmp_path / "sd21")
