"""What whoever runs the program may set in the environment: taken, refused in a sentence, documented."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mgld.errors import UserError
from mgld.host import RAY_TOKEN, UPLOAD_REQUEST_BYTES, limit_of, show_ray_the_token

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("text", ["many", "", "  ", "0", "-3", "1e3", "2.5", "٣", "1001"])
def test_a_limit_of_the_environment_is_a_whole_number_within_its_range(monkeypatch, text):
    monkeypatch.setenv("MGLD_QUEUE", text)
    if not text.strip():
        assert limit_of("MGLD_QUEUE", 8, 1, 1000) == 8
        return
    with pytest.raises(UserError, match=r"MGLD_QUEUE is .*; it must be a whole number from 1 to 1000\."):
        limit_of("MGLD_QUEUE", 8, 1, 1000)


@pytest.mark.parametrize(
    ("lies_here", "told", "shown"),
    [
        (True, {}, "token"),
        (False, {}, None),
        (False, {"RAY_AUTH_TOKEN": "x"}, "token"),
        (True, {"RAY_AUTH_MODE": "disabled"}, "disabled"),
    ],
)
def test_a_cluster_elsewhere_is_shown_the_token_that_lies_here(monkeypatch, tmp_path, lies_here, told, shown):
    """Ray itself shows it to none but a cluster on this machine, and others then only say that nobody is there."""
    monkeypatch.setattr(os, "environ", {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), **told})
    if lies_here:
        (tmp_path / RAY_TOKEN).parent.mkdir()
        (tmp_path / RAY_TOKEN).write_text("secret")
    show_ray_the_token()
    assert os.environ.get("RAY_AUTH_MODE") == shown


def test_limits_of_the_environment_are_taken():
    told = {
        "MGLD_PAGE_FRAMES": "9",
        "MGLD_UPLOAD_MB": "2",
        "MGLD_KEPT_MB": "3",
        "MGLD_QUEUE": "4",
        "MGLD_GPU_SECONDS": "50",
    }
    names = "PAGE_FRAMES, PAGE_DEFAULT_FRAMES, UPLOAD_BYTES, KEPT_BYTES, QUEUE, GPU_SECONDS, GPU_SECONDS_UNKNOWN"
    names += ", PAGE_MODEL, PAGE_MODELS"
    done = started(
        f"from mgld.host import {names}; print([{names}])",
        told | {"MGLD_MODEL": "me/weights", "MGLD_MODELS": "a, b/c@1,"},
    )
    assert done.stdout.strip() == "[9, 9, 2097152, 3000000, 4, (30, 50), 50, 'me/weights', ('a', 'b/c@1')]"
    done = started(f"from mgld.host import {names}; print([{names}])", {})
    assert done.stdout.strip() == "[60, 16, 67108864, 1500000000, 32, (30, 300), 60, 'tiny', ()]"


@pytest.mark.parametrize("program", [["app.py"], ["-m", "mgld", "doctor"]])
def test_a_limit_that_is_no_number_ends_a_program_with_one_sentence(program):
    done = subprocess.run(
        [sys.executable, *program], env=clean({"MGLD_QUEUE": "many"}), cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert done.stderr.endswith(
        "The environment variable MGLD_QUEUE is 'many'; it must be a whole number from 1 to 1000.\n"
    )


def started(code: str, environment: dict[str, str]) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code], env=clean(environment), cwd=ROOT, capture_output=True, text=True
    )


def clean(more: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("MGLD_")} | more


def test_every_variable_is_documented():
    read = set(re.findall(r'"(MGLD_\w+)"', (ROOT / "mgld" / "host.py").read_text(encoding="utf-8")))
    assert read == set(
        re.findall(r"^\| `(MGLD_\w+)`", (ROOT / "docs" / "hosting.md").read_text(encoding="utf-8"), re.M)
    )


def test_the_proxy_of_the_docs_lets_through_what_the_page_takes():
    told = re.search(r"client_max_body_size (\d+)m;", (ROOT / "docs" / "hosting.md").read_text(encoding="utf-8"))
    assert int(told[1]) * 2**20 == UPLOAD_REQUEST_BYTES
