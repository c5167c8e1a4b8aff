"""Deep features are shared by neighbouring steps where that is wanted, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mgld.nets.deepcache import DeepCache
from mgld.settings import Settings

STEPS = Settings(steps=4, segment=3, overlap=1, guidance=0.0, scenes="ignored")


def given(pipeline) -> tuple:
    draw = torch.Generator().manual_seed(0)
    z, z_lq = (torch.randn(3, 4, 16, 16, generator=draw) for _ in range(2))
    return z, z_lq, torch.tensor([500])


@torch.no_grad()
def test_without_kept_features_it_is_the_network_itself(pipeline):
    z, z_lq, t = given(pipeline)
    structure = pipeline.structure_encoder(z_lq, t)
    plain = pipeline.unet(z, t, structure, 3)
    full, deep = pipeline.unet.forward_reusing(z, t, structure, 3, True, None)
    assert torch.equal(plain, full)
    again, _ = pipeline.unet.forward_reusing(z, t, structure[:1], 3, True, deep)  # nothing else of structure is read
    torch.testing.assert_close(again, full)


@torch.no_grad()
def test_kept_features_are_those_of_the_tile_and_serve_for_n_steps(pipeline):
    z, z_lq, t = given(pipeline)
    cache = DeepCache(pipeline.structure_encoder, pipeline.unet, 3)
    encoded = []
    pipeline.structure_encoder.register_forward_pre_hook(lambda _, x: encoded.append(float(x[0].sum())))
    for _ in range(4):
        for tile, shift in ((0, 0.0), (1, 1.0)):
            cache.predict(tile, z, z_lq + shift, t, 3, True)
    assert encoded == [float((z_lq + s).sum()) for s in (0, 1, 0, 1)]  # of four steps the first and the fourth


@pytest.mark.parametrize(("every", "full"), [(1, 4), (2, 2), (3, 2)])
def test_a_run_computes_deep_features_in_every_nth_step(pipeline, clip_u8, monkeypatch, every, full):
    calls, middle = [], pipeline.unet._middle
    monkeypatch.setattr(pipeline.unet, "_middle", lambda *a: calls.append(1) or middle(*a))
    plain = pipeline(clip_u8[:3], STEPS)
    count = len(calls)
    other = pipeline(clip_u8[:3], Settings(**{**vars(STEPS), "deepcache": every}))
    assert (count, len(calls) - count) == (4, full) and np.array_equal(plain, other) == (every == 1)
