"""What a Hugging Face Space needs of the repository, and the page started as a Space starts it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import gradio as gr
import pytest
import yaml
from packaging.requirements import Requirement

from mgld.errors import UserError
from mgld.host import FILES_S, QUEUE, UPLOAD_BYTES
from mgld.ui import page, refusals

ROOT = Path(__file__).resolve().parent.parent
HEAD = yaml.safe_load((ROOT / "README.md").read_text(encoding="utf-8").split("---")[1])
# huggingface.co/docs/hub/spaces-config-reference, and the model card's keys of licences.
DOCUMENTED = {
    "title", "emoji", "colorFrom", "colorTo", "sdk", "python_version", "sdk_version", "suggested_hardware", "suggested_storage",
    "app_file", "app_port", "base_path", "fullWidth", "header", "short_description", "models", "datasets", "tags", "thumbnail",
    "pinned", "hf_oauth", "hf_oauth_scopes", "hf_oauth_expiration_minutes", "hf_oauth_authorized_org", "disable_embedding",
    "startup_duration_timeout", "custom_headers", "preload_from_hub", "license", "license_name", "license_link",
}  # fmt: skip
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


def requirement(name: str) -> Requirement:
    found = map(Requirement, (ROOT / "requirements.txt").read_text(encoding="utf-8").split())
    return next(r for r in found if r.name == name)


def test_the_front_matter_has_documented_keys_and_values_only():
    assert set(HEAD) <= DOCUMENTED
    assert HEAD["sdk"] == "gradio" and (ROOT / HEAD["app_file"]).is_file()
    assert {HEAD["colorFrom"], HEAD["colorTo"]} <= COLOURS
    assert HEAD["emoji"] and not re.search(r"\w", HEAD["emoji"])
    assert HEAD["python_version"] in ("3.10.13", "3.12.12")  # text, and what ZeroGPU has
    assert len(HEAD["short_description"]) <= 60
    assert HEAD["license"] == "apache-2.0" and all(isinstance(tag, str) for tag in HEAD["tags"])


def test_the_spaces_gradio_is_one_that_the_requirements_allow():
    assert requirement("gradio").specifier.contains(HEAD["sdk_version"])
    assert "spaces" not in (ROOT / "requirements.txt").read_text(encoding="utf-8")  # the host brings its own


def test_torch_may_be_one_that_zerogpu_has():
    assert all(requirement("torch").specifier.contains(version) for version in ("2.8.0", "2.9.1", "2.10.0", "2.11.0"))


def test_app_is_thin_and_imports_spaces_first():
    source = (ROOT / "app.py").read_text(encoding="utf-8")
    assert len(source.splitlines()) < 45
    assert source.index("import spaces") < source.index("import argparse") < source.index("from mgld")


def test_the_space_listens_where_the_host_says(monkeypatch):
    """Gradio reads GRADIO_SERVER_NAME and GRADIO_SERVER_PORT itself, as long as nothing is given in their place."""
    seen = {}

    class Page:
        def queue(self, **settings):
            seen["queue"] = settings

        def launch(self, **settings):
            seen["launch"] = settings

    monkeypatch.setattr(page, "_prepare", lambda *_: None)
    monkeypatch.setattr(page.uploads, "watch", lambda _, swept_s: seen.update(swept_s=swept_s))
    page.launch(Page(), "tiny", None)
    assert seen["swept_s"] == FILES_S
    assert seen["launch"]["server_port"] is None and "server_name" not in seen["launch"]
    assert seen["launch"]["max_file_size"] == UPLOAD_BYTES and seen["launch"]["share"] is False
    assert seen["queue"]["api_open"] is False and seen["queue"]["max_size"] == QUEUE
    assert seen["launch"]["ssr_mode"] is seen["launch"]["show_error"] is seen["launch"]["run_history"] is False


def hosts_package(folder: Path) -> Path:
    """Make the package that every Gradio Space has, as far as Gradio and app.py use it; it refuses to come after torch."""
    (folder / "spaces").mkdir(parents=True)
    (folder / "spaces-0.51.3.dist-info").mkdir()
    (folder / "spaces-0.51.3.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: spaces\nVersion: 0.51.3\n"
    )
    late = 'import sys\nif "torch" in sys.modules:\n    raise RuntimeError("imported too late")\n'
    used = "def GPU(duration):\n    return gradio_auto_wrap\n\ndef gradio_auto_wrap(function):\n    return function\n"
    (folder / "spaces" / "__init__.py").write_text(late + used)
    (folder / "spaces" / "reloading.py").write_text("def start_reload_server(prerun, postrun, stop_event):\n    pass\n")
    return folder


@contextmanager
def started(folder: Path, port: int):
    """Run app.py as a Space does, from a copy that cannot be written to, with an empty home; end it afterwards."""
    copy, home = folder / "app", folder / "home"
    home.mkdir()
    (folder / "tmp").mkdir()
    for name in ("mgld", "assets"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "eval"))
    shutil.copy(ROOT / "app.py", copy)
    for path in (copy, *copy.rglob("*")):
        path.chmod(path.stat().st_mode & 0o555)
    told = {
        "SPACE_ID": "owner/name",
        "SYSTEM": "spaces",
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_SERVER_NAME": "127.0.0.1",
    }
    here = {
        "HOME": str(home),
        "TMPDIR": str(folder / "tmp"),
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(hosts_package(folder / "host")),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "app.py"], cwd=copy, env=told | here, stdout=log, stderr=log)
    try:
        yield process, copy
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for path in (copy, *copy.rglob("*")):
            path.chmod(path.stat().st_mode | 0o200)


def fetched(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=30) as answer:
        return answer.read()


def first_paint(address: str, process: subprocess.Popen, patience_s: float) -> float:
    """Return the seconds until the page, its scripts and its first picture are there."""
    begun = time.monotonic()
    while time.monotonic() - begun < patience_s and process.poll() is None:
        try:
            html = fetched(address).decode()
            break
        except OSError:
            time.sleep(0.1)
    else:
        pytest.fail("The page was not served.")
    scripts = re.findall(r'(?:src|href)="\./(assets/[^"]+\.js)"', html)
    poster = re.search(r'"poster":\{"path":"[^"]*","url":"([^"]+)"', html)
    assert scripts and poster
    assert all(fetched(f"{address}{script}") for script in scripts) and fetched(poster[1])
    return time.monotonic() - begun


def contents(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no Space runs there")
def test_a_space_starts_from_a_read_only_copy_with_an_empty_home_and_works(tmp_path, free_port, record_property):
    from gradio_client import Client, handle_file

    with started(tmp_path, free_port) as (process, copy):
        before, address = contents(copy), f"http://127.0.0.1:{free_port}/"
        seconds = first_paint(address, process, patience_s=180)
        record_property("seconds_to_first_paint", seconds)
        print(f"first paint after {seconds:.1f} s")
        client = Client(address, verbose=False)
        clip = handle_file(copy / "assets" / "clips" / "reef.mp4")
        asked = {"clip": clip, "methods": ["per_frame"], "frames": 1, "steps": 1, "truth": None, "others": None}
        asked["crop"] = "0,0,50,50"
        line, *_, files = client.predict(**asked, api_name="/compare")
        assert "1 frame in" in line and len(files["files"]) > 3
        assert contents(copy) == before
    assert "Traceback" not in (tmp_path / "log").read_text(encoding="utf-8")


@pytest.fixture
def taken_port():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_port_that_is_taken_or_none_is_one_sentence_before_anything_large_is_loaded(taken_port):
    for port, told in (
        (taken_port, refusals.port_taken()),
        (70_000, "--port is 70000, but it must be from 1 to 65535."),
    ):
        command = [sys.executable, "-X", "importtime", "app.py", "--device", "cpu", "--port", str(port)]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
        *imports, last = ended.stderr.splitlines()
        assert (ended.returncode, last) == (1, f"app.py: {told}")
        assert {line.rpartition("|")[2].strip() for line in imports}.isdisjoint({"torch", "gradio", "cv2"})


def test_a_port_that_is_taken_at_the_last_moment_is_the_same_sentence(taken_port, monkeypatch):
    monkeypatch.setattr(page, "_prepare", lambda *_: None)
    with gr.Blocks(analytics_enabled=False) as empty:
        gr.Markdown("")
    with pytest.raises(UserError, match=re.escape(str(refusals.port_taken()))):
        page.launch(empty, "tiny", None, taken_port)
