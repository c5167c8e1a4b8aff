"""The pool of samples: each is used several times, turned like its twin, and nobody waits who need not."""

from __future__ import annotations

import threading

import pytest
import torch

from mgld.training.pool import Ahead, SamplePool, waiting


def test_a_pool_uses_each_sample_several_times():
    made = []

    def fresh():
        made.append(len(made))
        hq = torch.full((4, 1, 3, 8, 8), len(made), dtype=torch.uint8)
        return hq, hq[..., :2, :2]

    pool = SamplePool(waiting(fresh), capacity=16, uses=4, device=torch.device("cpu"))
    for _ in range(20):
        hq, lq = pool.draw(8)
        assert hq.shape == (8, 3, 8, 8) and lq.shape == (8, 3, 2, 2)
        torch.testing.assert_close(hq.mean((1, 2, 3)), lq.mean((1, 2, 3)))
    assert len(made) == pytest.approx(20 * 8 / 4 / 4, abs=4)


def test_a_pool_turns_pictures_and_their_low_quality_twins_alike():
    torch.manual_seed(0)
    hq = torch.randint(256, (8, 1, 3, 16, 16), dtype=torch.uint8)
    pool = SamplePool(waiting(lambda: (hq, hq[..., ::4, ::4])), capacity=8, uses=1000, device=torch.device("cpu"))
    seen = set()
    for _ in range(6):
        large, small = pool.draw(8)
        for big, little in zip(large, small, strict=True):
            corners = {tuple(c.tolist()) for c in (big[:, 0, 0], big[:, 0, -1], big[:, -1, 0], big[:, -1, -1])}
            seen.add(tuple(big[:, 0, 0].tolist()))
            assert corners & {
                tuple(c.tolist()) for c in (little[:, 0, 0], little[:, 0, -1], little[:, -1, 0], little[:, -1, -1])
            }
    assert len(seen) > 8  # more pictures than were made


def test_who_has_samples_does_not_wait_for_more():
    """The loader below gives its third batch only once somebody has drawn ten times."""
    drawn, pair = (
        threading.Event(),
        (torch.zeros(8, 1, 3, 8, 8, dtype=torch.uint8), torch.zeros(8, 1, 3, 2, 2, dtype=torch.uint8)),
    )

    def slow():
        yield from (pair, pair)
        drawn.wait(20)
        yield from (pair, pair)

    ahead = Ahead(slow())
    pool = SamplePool(ahead, capacity=64, uses=1, device=torch.device("cpu"))
    for _ in range(10):
        pool.draw(8)
    assert pool.made == 16
    drawn.set()
    assert ahead(needed=True)[0].shape == (8, 1, 3, 8, 8)
    ahead.close()
    assert not ahead._thread.is_alive()


def test_what_the_loader_raises_reaches_who_draws():
    def broken():
        yield from ()
        raise OSError("shard is gone")

    ahead = Ahead(broken())
    with pytest.raises(OSError, match="shard is gone"):
        SamplePool(ahead, capacity=8, uses=1, device=torch.device("cpu")).draw(2)
    ahead.close()


def test_a_ring_wraps_and_keeps_the_newest():
    batches = iter([torch.full((3, 1, 3, 8, 8), n, dtype=torch.uint8) for n in range(3)])

    def fresh():
        hq = next(batches)
        return hq, hq[..., :2, :2]

    pool = SamplePool(waiting(fresh), capacity=4, uses=1, device=torch.device("cpu"))
    pool.draw(2)
    pool.draw(3)
    assert pool.made in (6, 9)
    newest = (pool.made - 1) // 3
    assert int(pool._rings[0].max()) == newest
