"""Widths, levels and blocks are read from shapes; one wrong tensor does not change them."""

from __future__ import annotations

import pytest

from mgld.convert import shapes
from mgld.nets import StructureEncoder, VideoUNet, VideoVAE
from tests.convert.test_official import KEYS, published_vae


def published(net: type) -> dict:
    """Return a network's defaults, which are the published numbers."""
    parameters = net.__init__.__wrapped__ if hasattr(net.__init__, "__wrapped__") else net.__init__
    names = parameters.__code__.co_varnames[1 : 1 + len(parameters.__defaults__)]
    return dict(zip(names, parameters.__defaults__, strict=True))


READERS = {
    "unet": (shapes.unet_config, KEYS["unet"], published(VideoUNet)),
    "structure encoder": (shapes.structure_config, KEYS["structcond"], published(StructureEncoder)),
    "video autoencoder": (shapes.vae_config, published_vae("vdec"), published(VideoVAE)),
    "stablesr's": (shapes.vae_config, published_vae("cdec"), published(VideoVAE) | {"fusion_block": "rrdb"}),
}


@pytest.mark.parametrize("name", list(READERS))
def test_the_published_shapes_show_the_published_numbers(name):
    read, keys, expected = READERS[name]
    assert read(keys).items() <= expected.items()


@pytest.mark.parametrize("name", list(READERS))
def test_one_wrong_tensor_does_not_change_the_network(name):
    read, keys, _ = READERS[name]
    whole = read(keys)
    for key in list(keys)[1 :: len(keys) // 20]:  # the very first convolution is all that shows the encoder's input
        assert read({k: v for k, v in keys.items() if k != key}) == whole
        assert read(dict(keys) | {key: [7] * len(keys[key])}) == whole


def test_other_widths_keep_the_rules():
    narrow = {key: [n // 10 if n % 320 == 0 else n for n in shape] for key, shape in KEYS["unet"].items()}
    config = shapes.unet_config(narrow)
    assert config["channels"] == (32, 64, 128, 128) and config["head_channels"] == 32 and config["norm_groups"] == 32
    assert shapes.unet_config(narrow, head_channels=16)["head_channels"] == 16


def test_what_is_no_network_shows_none():
    for read in (shapes.unet_config, shapes.structure_config, shapes.vae_config, shapes.text_config):
        with pytest.raises(LookupError):
            read({"weight": (3, 4)})
