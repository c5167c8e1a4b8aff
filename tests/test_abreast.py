"""Frames two abreast: the same results in the same order, and nothing else of torch's threads changed."""

from __future__ import annotations

import threading

import pytest
import torch

from mgld.abreast import abreast, alone
from tests.small import small_pipeline


@pytest.fixture(params=[1, 2, 5])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def frames(count: int) -> list[tuple[torch.Tensor]]:
    return [(torch.full((1, 1), float(n), requires_grad=True),) for n in range(count)]


def test_results_come_in_order_whatever_the_cores(threads):
    with torch.no_grad():
        assert [y.item() for y in abreast(lambda x: 2 * x, frames(5))] == [0, 2, 4, 6, 8]


def test_two_frames_are_worked_on_at_once_each_with_half_of_the_cores(threads):
    met, seen = threading.Barrier(2, timeout=20), []

    def work(x):
        seen.append((threading.get_ident(), torch.get_num_threads(), torch.is_grad_enabled()))
        if threads > 1 and x.item() != 2:
            met.wait()  # the one that is alone would wait until the barrier breaks
        return x

    with torch.no_grad():
        abreast(work, frames(5))
    assert torch.get_num_threads() == threads
    own = [cores for thread, cores, _ in seen if thread == threading.get_ident()]
    others = [cores for thread, cores, _ in seen if thread != threading.get_ident()]
    assert not any(grad for _, _, grad in seen)
    assert (own, others) == (([1] * 5, []) if threads == 1 else ([threads], [threads // 2] * 4))


def test_the_one_that_is_alone_is_never_among_those_that_segments_share():
    assert [alone(count) for count in (1, 2, 3, 5, 8, 9)] == [0, None, 1, 2, None, 4]


def test_threads_that_begin_later_have_all_cores(threads):
    with torch.no_grad():
        abreast(lambda x: x, frames(2))
    found = []
    later = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert found == [threads]


def test_an_error_reaches_who_asked(threads):
    def work(x):
        raise RuntimeError(f"frame {x.item():.0f}")

    with torch.no_grad(), pytest.raises(RuntimeError, match="frame 0"):
        abreast(work, frames(4))


def test_the_autoencoder_codes_the_same_with_any_number_of_cores(threads):
    vae = small_pipeline().vae
    x = torch.rand(5, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        posterior, features = vae.encode(x)
        decoded = vae.decode(posterior.mean, features, 5)
    with torch.enable_grad():  # as training does, all together
        whole, kept = vae.encode(x)
        assert torch.allclose(posterior.mean, whole.mean, atol=1e-4)
        assert torch.allclose(decoded, vae.decode(whole.mean, kept, 5), atol=1e-3)


def test_frames_on_another_device_are_worked_on_one_by_one_by_who_asks(threads):
    asked = []
    made = abreast(lambda x: asked.append(threading.get_ident()) or 2 * x, [(torch.empty(1, device="meta"),)] * 4)
    assert [y.device.type for y in made] == ["meta"] * 4 and set(asked) == {threading.get_ident()}
