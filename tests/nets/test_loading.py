"""Networks are opened in silence, one at a time, and what is the process' own stays as it was."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from diffusers.utils import logging

from mgld.flow import load_flow
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


def test_networks_that_are_opened_at_once_keep_out_of_each_others_precision(pipeline, tmp_path, monkeypatch):
    """While diffusers loads one, its precision is the process' default; the second once put that back for good."""
    pipeline.unet.save_pretrained(tmp_path / "unet")
    set_default = torch.set_default_dtype
    monkeypatch.setattr(torch, "set_default_dtype", lambda dtype: set_default(dtype) or time.sleep(0.01))
    try:
        with ThreadPoolExecutor(4) as pool:
            opened = [pool.submit(open_net, tmp_path, "unet", torch.bfloat16) for _ in range(4)]
            flows = [pool.submit(load_flow, "spynet", "cpu") for _ in range(2)]
        assert torch.get_default_dtype() == torch.float32
    finally:
        set_default(torch.float32)
    assert all(p.dtype == torch.bfloat16 for net in opened for p in net.result().parameters())
    wanted = load_flow("spynet", "cpu").state_dict()
    assert all(
        torch.equal(flow.result().state_dict()[name], tensor) for flow in flows for name, tensor in wanted.items()
    )
