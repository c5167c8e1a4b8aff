"""No file makes the program open another file, ask a host, or take a name for more than a name."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import contextmanager, suppress

import pytest

from mgld.errors import UserError
from mgld.video import decode, probe, read_frames
from tests import media


@contextmanager
def listener():
    """Count who connects to a port of this machine."""
    visits, server = [], socket.create_server(("127.0.0.1", 0))

    def count() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            visits.append(connection.recv(200))
            connection.close()

    threading.Thread(target=count, daemon=True).start()
    yield server.getsockname()[1], visits
    time.sleep(0.1)
    server.close()


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n",
    "hls key": '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{url}"\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n',
    "ffconcat": "ffconcat version 1.0\nfile '{url}'\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet>'
    '<Representation id="1" mimeType="video/mp4"><BaseURL>{url}</BaseURL></Representation></AdaptationSet></Period></MPD>',
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} TCP 96\na=rtpmap:96 H264/90000\n",
    "asx": '<asx version="3.0"><entry><ref href="{url}"/></entry></asx>',
    "wm reference": "[Reference]\nRef1={url}\n",
    "avs": 'DirectShowSource("{url}")\n',
    "svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}" width="64" height="64"/></svg>',
    "smil": '<smil><body><video src="{url}"/></body></smil>',
}


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("name", ["a.mp4", "a.m3u8", "a.gif"])
def test_no_file_causes_a_request(tmp_path, kind, name):
    """Decoded here, without the child's walls, so that the allow-list alone has to hold."""
    with listener() as (port, visits):
        (tmp_path / name).write_text(PLAYLISTS[kind].format(url=f"http://127.0.0.1:{port}/a.ts", port=port))
        before = time.monotonic()
        for look in (decode.probe, lambda p: list(decode.frames(p))):
            with pytest.raises(UserError):
                look(tmp_path / name)
        assert time.monotonic() - before < 10
    assert visits == []


def test_the_listener_hears_who_comes():
    with listener() as (port, visits), socket.create_connection(("127.0.0.1", port)) as caller:
        caller.sendall(b"hello")
    assert visits == [b"hello"]


@pytest.mark.parametrize("kind", ["hls", "ffconcat", "dash"])
def test_no_file_opens_another(tmp_path, kind):
    other = media.make_video(tmp_path / "other.ts", media.coded_frames(5))
    for url in (
        other.name,
        str(other),
        f"file://{other}",
        f"concat:{other}|{other}",
        f"subfile:,,start,0,end,0,,:{other}",
    ):
        (tmp_path / "a.mp4").write_text(PLAYLISTS[kind].format(url=url, port=0))
        with pytest.raises(UserError):
            decode.probe(tmp_path / "a.mp4")


def test_a_mov_that_refers_to_another_file_does_not_open_it(tmp_path):
    """QuickTime may keep its pictures elsewhere: the data reference is made one by name."""
    path = media.make_video(tmp_path / "a.mov", media.coded_frames(3))
    data = path.read_bytes()
    with listener() as (port, visits):
        target = f"http://127.0.0.1:{port}/a.mov\0".encode()
        own = b"\0\0\0\x0curl \0\0\0\x01"
        assert own in data
        path.write_bytes(data.replace(own, own[:8] + b"\0\0\0\0"))  # no longer "in this file"
        path.write_bytes(path.read_bytes() + target)
        with suppress(UserError):
            list(decode.frames(path))
    assert visits == []


@pytest.mark.parametrize(
    "name", ["-i.mp4", "a;rm -rf.mp4", "concat:a|b.mp4", "http:x.mp4", "%d.mp4", "<img onerror=x>.mp4", "\u202egnp.mp4", "😀.mp4",
             "${x}{{y}}.mp4", "é" * 100 + ".mp4", "name without suffix"]
)  # fmt: skip
def test_odd_names_are_only_names(tmp_path, monkeypatch, name):
    source = media.make_video(tmp_path / "plain.mp4", media.coded_frames(2))
    (tmp_path / name).write_bytes(source.read_bytes())
    monkeypatch.chdir(tmp_path)
    for path in (name, tmp_path / name):
        assert [media.number_of(f.rgb_u8) for f in read_frames(path)] == [0, 1]


def test_pipes_and_devices_are_no_clips(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes here")
    os.mkfifo(tmp_path / "a.mp4")
    for path in (tmp_path / "a.mp4", "/dev/zero"):
        with pytest.raises(UserError, match="not a video"):
            probe(path)
