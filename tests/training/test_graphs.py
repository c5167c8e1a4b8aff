"""Recorded steps: where nothing is recorded they are plain calls; on a GPU the replayed step learns what the called one learns."""

from __future__ import annotations

import pytest
import torch

from mgld.training.graphs import WARM_UPS, Replayed


def test_where_nothing_is_recorded_every_step_is_called():
    called = []

    def step(kind, x):
        called.append(kind)
        return {"sum": x.sum()}

    replayed = Replayed(step, recorded=False)
    assert [float(replayed(k, torch.full((2,), float(k)))["sum"]) for k in (1, 2, 1)] == [2, 4, 2]
    assert called == [1, 2, 1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="records CUDA graphs")
def test_a_replayed_step_learns_what_a_called_one_learns():
    def learned(recorded: bool) -> list[float]:
        torch.manual_seed(0)
        net = torch.nn.Linear(8, 1).cuda()
        rate = torch.tensor(1e-2, device="cuda")
        optimizer = torch.optim.AdamW(net.parameters(), rate, fused=True, capturable=True)

        def step(kind, x):
            optimizer.zero_grad(set_to_none=True)
            loss = (net(x) - kind).square().mean()
            loss.backward()
            optimizer.step()
            return {"loss": loss.detach()}

        replayed, inputs = Replayed(step, recorded), torch.randn(20, 16, 8, device="cuda")
        return [float(replayed(n % 2, x)["loss"]) for n, x in enumerate(inputs)]

    assert learned(True) == pytest.approx(learned(False), rel=1e-4)
    assert WARM_UPS >= 2
