"""The device and the precision that are chosen when nobody says."""

from __future__ import annotations

import pytest
import torch

from mgld.device import best_dtype


@pytest.mark.parametrize("native", [True, False])
def test_bfloat16_is_chosen_only_where_the_processor_multiplies_it(monkeypatch, native):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert best_dtype("cpu") == ("bfloat16" if native else "float32")
    assert best_dtype("cuda:0") == "float16"
