"""The page as a program calls it."""

from __future__ import annotations

import zipfile

import pytest

from mgld.ui import page as studio

pytestmark = pytest.mark.browser


def test_only_one_endpoint_is_public(studio_address):
    from gradio_client import Client

    told = Client(studio_address, verbose=False).view_api(return_format="dict")
    assert list(told["named_endpoints"]) == ["/compare"]
    types = {p["parameter_name"]: p["python_type"]["type"] for p in told["named_endpoints"]["/compare"]["parameters"]}
    assert types["steps"] == "float" and types["crop"] == "str" and "clip" in types


def test_the_client_of_the_readme_works(studio_address, clip):
    from gradio_client import Client, handle_file

    client = Client(studio_address, verbose=False)
    asked = {
        "clip": handle_file(str(clip)),
        "methods": ["mgld"],
        "frames": 1,
        "steps": 1,
        "truth": None,
        "others": None,
    }
    *_, taken = client.predict(**asked, api_name="/compare")
    assert [file["file"].rsplit("/", 1)[-1] for file in taken["files"]][:2] == ["comparison.mp4", "mgld.mp4"]
    assert zipfile.is_zipfile(taken["everything"])


def test_settings_of_the_launch_are_those_that_were_tested():
    assert studio.DEVICE["concurrency_id"] == "device" and studio.DEVICE["concurrency_limit"] == 1
