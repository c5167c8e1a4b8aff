"""`doctor --fetch`: from a small Hub of our own, by the real client: progress, pinned commit and hash, no network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from mgld import host
from mgld.__main__ import main
from mgld.convert.fetch import CHECKPOINTS, fetch, on_hub, pins, place_of
from mgld.errors import UserError

NAME, COMMIT, LATER = "stablesr_000117.ckpt", "a" * 40, "b" * 40


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Hub(ThreadingHTTPServer):
    """Serve one repository that holds one large file, as far as the client asks."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.data, self.head, self.asked = b"weights" * 1000, COMMIT, []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    """Tell about the repository, or give the file."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub: Hub = self.server
        hub.asked.append(self.path)
        if self.path.startswith("/api/models/"):
            revision = self.path.split("/revision/")[1].split("?")[0]
            lfs = {"sha256": digest(hub.data), "size": len(hub.data), "pointerSize": 134}
            file = {"rfilename": NAME, "size": len(hub.data), "blobId": "c" * 40, "lfs": lfs}
            commit = hub.head if revision == "main" else revision
            body = json.dumps({"id": "Iceclear/StableSR", "sha": commit, "siblings": [file]}).encode()
        else:
            commit, body = self.path.split("/resolve/")[1].split("/")[0], hub.data
        self.send_response(200)
        self.send_header("X-Repo-Commit", commit)
        self.send_header("ETag", f'"{digest(hub.data)}"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Iterator[Hub]:
    monkeypatch.setattr(host, "CACHE", tmp_path)
    with Hub() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_the_first_download_is_pinned_and_later_ones_are_held_against_it(hub):
    first = fetch(NAME, endpoint=hub.address)
    assert first == {"revision": COMMIT, "sha256": digest(hub.data)} == pins()[NAME]
    assert place_of(NAME).read_bytes() == hub.data
    hub.head = LATER  # the repository moves on; the pinned commit is asked for again
    assert fetch(NAME, endpoint=hub.address)["revision"] == COMMIT
    hub.data = b"newer" * 1000
    assert fetch(NAME, revision=LATER, endpoint=hub.address) == {"revision": LATER, "sha256": digest(hub.data)}


def test_another_file_under_the_same_name_is_thrown_away(hub):
    fetch(NAME, endpoint=hub.address)
    hub.data = b"other" * 1000
    place_of(NAME).unlink()
    with pytest.raises(UserError, match="thrown away"):
        fetch(NAME, endpoint=hub.address)
    assert not place_of(NAME).exists()


def test_a_trusted_hash_decides(hub):
    with pytest.raises(UserError, match="its sha256 is"):
        fetch(NAME, sha256="0" * 64, endpoint=hub.address)
    assert not place_of(NAME).exists()
    assert fetch(NAME, sha256=digest(hub.data).upper(), endpoint=hub.address)["sha256"] == digest(hub.data)


def test_without_network_it_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(host, "CACHE", tmp_path)
    with pytest.raises(UserError, match="Iceclear/StableSR cannot be reached on the Hub"):
        fetch(NAME, endpoint="http://127.0.0.1:9")


def test_what_the_hub_has_not_and_bad_hashes_are_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(host, "CACHE", tmp_path)
    assert main(["doctor", "--fetch", "mgldvsr_unet.ckpt"]) == 1
    assert "is not on the Hub" in capsys.readouterr().err
    assert main(["doctor", "--fetch", "--sha256", f"{NAME}=12"]) == 1
    assert "64 hexadecimal digits" in capsys.readouterr().err


def test_every_checkpoint_says_where_it_is_and_under_which_licence():
    assert all(c.licence and bool(c.repo) != bool(c.where) for c in CHECKPOINTS.values())
    assert on_hub() == ["stablesr_000117.ckpt", "vqgan_cfw_00011.ckpt"]
