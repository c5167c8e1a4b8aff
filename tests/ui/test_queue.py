"""A waiting visitor is told how many runs are ahead, and how long they take where that is known."""

from __future__ import annotations

import pytest

from mgld.ui.queue import DeviceQueue


def test_nobody_waits_for_a_free_device():
    assert DeviceQueue().enter("me", 10) == (0, 0.0)


def test_the_second_waits_for_the_first_and_the_third_for_both():
    queue = DeviceQueue()
    queue.begin("first")
    queue.predict("first", 60)
    count, start_s = queue.enter("second", 30)
    assert count == 1 and start_s == pytest.approx(60, abs=1)
    count, start_s = queue.enter("third", 30)
    assert count == 2 and start_s == pytest.approx(90, abs=1)
    queue.leave("second")  # cancelled
    assert queue.place("third")[0] == 1 and queue.place("nobody") == (0, 0.0)


def test_what_is_not_known_is_not_told():
    queue = DeviceQueue()
    queue.begin("first")
    assert queue.enter("second", 30) == (1, 0.0)
    queue.predict("somebody else", 60)
    assert queue.enter("second", 30) == (1, 0.0)


def test_a_run_that_has_begun_already_does_not_wait_for_itself():
    queue = DeviceQueue()
    queue.begin("me")
    assert queue.enter("me", 10) == (0, 0.0)
    queue.leave("me")
    assert queue.enter("other", 10) == (0, 0.0)
