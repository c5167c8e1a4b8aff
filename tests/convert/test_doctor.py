"""What doctor finds: whether things would load, their hashes and licences, and what to do next."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from mgld import host
from mgld.convert import fetch
from mgld.convert.doctor import Finding, examine

SHIPPED = host.MODELS


def found(name: str) -> Finding:
    return next(finding for finding in examine() if finding.name == name)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Make an empty machine: no models, no cache."""
    monkeypatch.setattr(host, "MODELS", tmp_path / "models")
    monkeypatch.setattr(host, "CACHE", tmp_path / "cache")
    return tmp_path


@pytest.fixture
def sd21(machine, pipeline):
    """Put a model where sd21 would be, StableSR's inside it."""
    folder = machine / "models" / "sd21"
    for place in (folder, folder / "stablesr"):
        pipeline.save_pretrained(place)
    (folder / "manifest.json").write_text(json.dumps({"licence": {"MGLD-VSR": "S-Lab"}}))
    return folder


def test_what_is_present_has_a_hash_a_licence_and_a_next_command(sd21):
    finding = found("sd21")
    assert finding.state == "present" and len(finding.sha256) == 64 and finding.bytes > 0
    assert finding.licence == "MGLD-VSR: S-Lab" and "--model sd21" in finding.hint
    before = finding.sha256
    file = sd21 / "stablesr" / "vae" / "diffusion_pytorch_model.safetensors"
    save_file({key: value + 1 for key, value in load_file(file).items()}, file)
    assert found("sd21").sha256 != before
    outputs = {"stablesr/vae/diffusion_pytorch_model.safetensors": {"sha256": before}}
    (sd21 / "manifest.json").write_text(json.dumps({"outputs": outputs}))
    assert found("sd21").state == "damaged" and "not what was converted" in found("sd21").hint
    (sd21 / "manifest.json").write_text("{")
    assert found("sd21").state == "damaged"


def test_what_is_absent_says_the_one_command(machine):
    assert "python -m mgld convert sd21 --mgld-unet" in found("sd21").hint
    assert found("stablesr_000117.ckpt").hint == "python -m mgld doctor --fetch stablesr_000117.ckpt"
    assert str(fetch.place_of("video_vae_cfw.ckpt")) in found("video_vae_cfw.ckpt").hint


@pytest.mark.parametrize("part", ["unet", "stablesr/vae"])
def test_a_model_that_would_not_load_is_damaged(sd21, part):
    file = sd21 / part / "diffusion_pytorch_model.safetensors"
    state = load_file(file)
    name = next(iter(state))
    save_file(state | {name: torch.zeros(7)}, file)
    finding = found("sd21")
    assert finding.state == "damaged" and name in finding.hint and "convert sd21" in finding.hint


def test_flow_weights_must_be_the_networks(machine):
    shutil.copytree(SHIPPED / "flow", machine / "models" / "flow")
    whole = found("raft")
    assert whole.state == "present" and "BSD" in whole.licence and len(whole.sha256) == 64
    next((machine / "models" / "flow").glob("raft-2*")).unlink()
    assert found("raft").state == "damaged"


def test_checkpoints_are_opened_hashed_and_held_against_what_is_known(machine):
    name = "vqgan_cfw_00011.ckpt"
    place = fetch.place_of(name)
    place.parent.mkdir(parents=True)
    torch.save({"state_dict": {"a": torch.zeros(3)}}, place)
    finding = found(name)
    assert finding.state == "present" and "--stablesr-vae" in finding.hint and "S-Lab" in finding.licence
    assert finding.sha256 == hashlib.sha256(place.read_bytes()).hexdigest()
    fetch.place_of(fetch.PINS).write_text(json.dumps({name: {"revision": "c", "sha256": "f" * 64}}))
    assert found(name).state == "damaged"
    place.write_text("<html>")
    assert "web page" in found(name).hint
