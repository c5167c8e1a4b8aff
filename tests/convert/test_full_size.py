"""Files with every published tensor at its size are streamed: memory stays low."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch
from torch.serialization import skip_data

from mgld import host
from mgld.convert.folder import SHARD_BYTES
from mgld.nets import StructureEncoder, VideoUNet, VideoVAE
from tests.convert import published_files as files
from tests.convert.test_official import KEYS, published_vae

LARGE = ("model.diffusion_model.", "structcond_stage_model.", "cond_stage_model.")


def full_size() -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Return every tensor of the published MGLD files at its size; those of LARGE networks are one row, again and again.

    A file stores the numbers that lie in memory: what a run holds of a LARGE network is its own copy, not the file's pages.
    """
    parts = {"model.diffusion_model.": KEYS["unet"], "structcond_stage_model.": KEYS["structcond"]}
    parts |= {"first_stage_model.": published_vae("dec"), "flownet_model.": KEYS["raft"]}
    unet = {prefix + key: shape for prefix, keys in parts.items() for key, shape in keys.items()}
    unet |= {f"cond_stage_model.model.{key}": shape for key, shape in openclip_shapes().items()}

    def empty(name: str, shape: list[int]) -> torch.Tensor:
        dtype = torch.int64 if name.endswith("num_batches_tracked") else torch.float32
        stored = [1, *shape[1:]] if shape and name.startswith(LARGE) else shape
        return torch.empty(stored, dtype=dtype).expand(shape)

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
import sys
from mgld import memory
from mgld.__main__ import main
from mgld.convert import sd21
before = memory.peak_bytes()
code = main(sys.argv[1:])
print(memory.peak_bytes() - before)
sys.exit(code)
"""


@pytest.mark.slow
def test_files_of_full_size_are_streamed(tmp_path):
    """Every tensor of the key list at its size, in sparse files of zeros: all is used or left, and memory stays low.

    That is one file's pages, one shard and a little: the U-Net of 1.8 GB is never there as a whole.
    """
    paths = []
    for name, state in zip(("unet", "vae"), full_size(), strict=True):
        with skip_data():  # leaves holes instead of numbers
            paths.append(files.save(tmp_path, name, state))
    command = ["convert", "sd21", "--mgld-unet", str(paths[0]), "--mgld-vae", str(paths[1]), str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *command], capture_output=True, text=True, cwd=host.ASSETS.parent,
        env=os.environ | {"OMP_NUM_THREADS": "2"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) <= 1.25 * (max(path.stat().st_size for path in paths) + SHARD_BYTES)
    with torch.device("meta"):
        nets = {"unet": VideoUNet(), "structure_encoder": StructureEncoder(), "vae": VideoVAE()}
    for name, net in nets.items():
        index = json.loads((tmp_path / "out" / name / "config.json").read_text())
        stored = {key: tuple(v) if isinstance(v, list) else v for key, v in index.items() if not key.startswith("_")}
        assert stored == {key: v for key, v in net.config.items() if not key.startswith("_")}
    assert len(list((tmp_path / "out" / "unet").glob("*.safetensors"))) > 1
