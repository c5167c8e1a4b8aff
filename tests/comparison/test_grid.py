"""Layers side by side."""

from __future__ import annotations

import numpy as np
import pytest

from mgld.comparison.grid import labelled_grid


@pytest.mark.parametrize(("count", "shape"), [(2, (20, 60)), (3, (20, 90)), (4, (40, 60)), (5, (40, 90))])
def test_two_layers_are_a_pair_and_four_a_quad(count, shape):
    layers = {str(i): np.zeros((2, 20, 30, 3), np.uint8) for i in range(count)}
    assert labelled_grid(layers).shape == (2, *shape, 3)
