"""Recorded calls: which ones are kept, what they read and write, and what happens where none can be made."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import nn

from mgld.nets.replay import Recording, Replay


class Eager:
    """Record on the CPU as a CUDA graph does: from the recording's own inputs into the recording's own output."""

    device_type = "cpu"

    def __init__(self) -> None:
        self.made = []

    def record(self, function, inputs, options) -> Recording:
        output = function(*inputs, *options)
        self.made.append((tuple(inputs[0].shape), options))
        return Recording(inputs, output, lambda: output.copy_(function(*inputs, *options)))


def replay_of(most: int = 2, recorder=None) -> tuple[Replay, nn.Linear, Eager]:
    torch.manual_seed(0)
    layer, recorder = nn.Linear(3, 3).requires_grad_(False), recorder or Eager()
    return Replay(lambda x, t, times: times * layer(x) + t, (layer,), most, recorder), layer, recorder


def test_a_replay_computes_from_what_it_is_given_now_and_keeps_results_apart():
    replay, layer, recorder = replay_of()
    xs = [torch.randn(2, 3) for _ in range(3)]
    results = [replay((x, torch.tensor([float(i)])), (2,)) for i, x in enumerate(xs)]
    for i, (x, result) in enumerate(zip(xs, results, strict=True)):
        torch.testing.assert_close(result, 2 * layer(x) + i)
    assert recorder.made == [((2, 3), (2,))]  # once for all three


def test_shapes_options_and_moved_weights_have_recordings_of_their_own_and_the_oldest_goes():
    replay, layer, recorder = replay_of(most=2)
    t = torch.zeros(1)
    for rows, times in ((1, 2), (1, 3), (1, 2), (4, 2), (1, 2)):
        replay((torch.ones(rows, 3), t), (times,))
    assert recorder.made == [((1, 3), (2,)), ((1, 3), (3,)), ((4, 3), (2,))] and len(replay) == 2
    replay((torch.ones(1, 3), t), (3,))  # used longest ago, so it went
    assert len(recorder.made) == 4 and len(replay) == 2
    layer.weight = nn.Parameter(torch.eye(3), requires_grad=False)
    moved = replay((torch.ones(1, 3), t), (3,))
    torch.testing.assert_close(moved, 3 * layer(torch.ones(1, 3)))
    assert len(recorder.made) == 5


def test_memory_is_given_back_and_calls_are_recorded_anew():
    replay, layer, recorder = replay_of()
    given = ((torch.ones(1, 3), torch.zeros(1)), (1,))
    assert not replay.forget()
    replay(*given)
    assert replay.forget() and len(replay) == 0
    torch.testing.assert_close(replay(*given), layer(torch.ones(1, 3)))
    assert len(recorder.made) == 2


@pytest.mark.parametrize("failure", [RuntimeError("not while capturing"), torch.OutOfMemoryError("no room")])
def test_what_cannot_be_recorded_is_told_once_and_computed_all_the_same(failure, caplog):
    class Broken(Eager):
        def record(self, function, inputs, options):
            self.made.append(options)
            raise failure

    replay, layer, recorder = replay_of(recorder=Broken())
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            result = replay((torch.ones(1, 3), torch.zeros(1)), (1,))
            torch.testing.assert_close(result, layer(torch.ones(1, 3)))
    assert recorder.made == [(1,)] and caplog.text.count(str(failure)) == 1


@pytest.mark.parametrize(("most", "device_type"), [(0, "cpu"), (2, "cuda")])
def test_nothing_is_recorded_where_it_is_switched_off_or_on_another_device(most, device_type):
    recorder = Eager()
    recorder.device_type = device_type
    replay, layer, _ = replay_of(most, recorder)
    torch.testing.assert_close(replay((torch.ones(1, 3), torch.zeros(1)), (1,)), layer(torch.ones(1, 3)))
    assert not recorder.made
