"""Networks are opened in silence, and other programs' bars stay as they were."""

from __future__ import annotations

import pytest
import torch
from diffusers.utils import logging

from mgld.nets.loading import open_net


@pytest.mark.parametrize("shown", [True, False])
def test_a_network_of_many_files_opens_in_silence(pipeline, tmp_path, capfd, shown):
    pipeline.unet.save_pretrained(tmp_path / "unet", max_shard_size="100KB")
    assert len(list((tmp_path / "unet").glob("*.safetensors"))) > 1
    (logging.enable_progress_bar if shown else logging.disable_progress_bar)()
    try:
        opened = open_net(tmp_path, "unet", torch.float32)
        assert capfd.readouterr() == ("", "")
        assert logging.is_progress_bar_enabled() == shown
    finally:
        logging.enable_progress_bar()
    assert all(torch.equal(a, b) for a, b in zip(opened.parameters(), pipeline.unet.parameters(), strict=True))
