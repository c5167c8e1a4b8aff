"""One set of published files, and what it becomes, for all tests of the conversion."""

from __future__ import annotations

from pathlib import Path

import pytest

from mgld.convert.published import Published
from mgld.convert.sd21 import convert_sd21
from mgld.flow import NETWORKS
from tests.convert import published_files as files


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def folder(given, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("converted") / "sd21"
    convert_sd21(given, out)
    return out
