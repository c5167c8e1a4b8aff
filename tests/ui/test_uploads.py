"""Files of visitors: what a run needs stays, nothing else stays long, and all together they take no more than is allowed."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from mgld import constants, host
from mgld.ui import handlers, uploads, words
from tests import media
from tests.served import Served, answering, given


def test_uploads_of_runs_that_wait_or_work_are_not_swept(served, tmp_path, monkeypatch):
    """Gradio counts a file's age from the last change of its inode."""
    sent = [served.upload(media.make_video(tmp_path / f"{i}.mp4", media.coded_frames(3 + i), fps=10)) for i in range(3)]
    working, go_on, checked = threading.Event(), threading.Event(), handlers.request.checked

    def slowly(*asked):
        working.set()
        assert go_on.wait(60)
        return checked(*asked)

    monkeypatch.setattr(handlers.request, "checked", slowly)
    event, before = served.event("compare"), time.time()
    calls = [given(served, event, clip=clip, frames=1) for clip in sent[:2]]
    work = [threading.Thread(target=served.call, args=(event, values)) for values in calls]
    for thread in work:
        thread.start()
    try:
        assert working.wait(60)
        needed = _until(lambda: uploads.needed(served.page), 2)
        assert needed == {clip["path"] for clip in sent[:2]}
        uploads.touch(needed)
        assert all(Path(clip["path"]).stat().st_ctime >= before for clip in sent[:2])
    finally:
        go_on.set()
    for thread in work:
        thread.join()
    assert uploads.needed(served.page) == set()


def test_nothing_but_an_upload_is_kept_whatever_is_named():
    named = [[{"path": "mine"}], {"path": "/etc/passwd"}, {"path": 7}, "theirs", None, {"path": "swept"}]
    event = SimpleNamespace(data=SimpleNamespace(data=named))
    lines = {"device": SimpleNamespace(queue=[event, SimpleNamespace(data=None)])}
    queue = SimpleNamespace(event_queue_per_concurrency_id=lines, active_jobs=[None, [event]])
    assert uploads.needed(SimpleNamespace(_queue=queue, temp_file_sets=[{"mine"}, {"theirs"}])) == {"mine"}
    uploads.touch({"swept"})  # is no fault


def _until(find, count: int) -> set:
    end = time.monotonic() + 30
    while len(found := find()) < count and time.monotonic() < end:
        time.sleep(0.05)
    return found


@pytest.fixture
def quota(served, monkeypatch) -> None:
    """Ten kilobytes for all uploads together; none of other tests lies there."""
    for path in set(served.page.upload_file_set):
        Path(path).unlink(missing_ok=True)
    monkeypatch.setattr(host, "UPLOADS_BYTES", 10_000)


def sent(served: Served, name: str, size: int):
    return served.http.post("/gradio_api/upload", files={"files": (name, os.urandom(size))})


def test_uploads_together_take_no_more_than_is_allowed(served, quota):
    files = [Path(sent(served, f"{i}.mp4", 3000).json()[0]) for i in range(5)]
    assert [file.exists() for file in files] == [False, False, True, True, True]  # the oldest went first
    refused = sent(served, "large.mp4", 20_000)
    assert refused.status_code == 507 and refused.text == words.UPLOADS_FULL
    assert all(file.exists() for file in files[2:])  # nothing goes in vain


def test_what_a_run_needs_never_makes_room(served, quota, monkeypatch):
    files = [Path(sent(served, f"{i}.mp4", 4000).json()[0]) for i in range(2)]
    monkeypatch.setattr(uploads, "needed", lambda page: {str(file) for file in files})
    assert sent(served, "one more.mp4", 4000).status_code == 507
    monkeypatch.setattr(uploads, "needed", lambda page: {str(files[0])})
    assert sent(served, "one more.mp4", 4000).status_code == 200
    assert [file.exists() for file in files] == [True, False]


def test_uploads_at_once_do_not_share_one_room(served, quota):
    bounds = uploads.Bounds(served.page.app, served.page)
    with bounds._room(6000) as first, bounds._room(6000) as second:
        assert (first, second) == (True, False)
    with bounds._room(6000) as again:
        assert again


def broken_off(served: Served, size: int) -> Path:
    """Send so many bytes of a larger upload, and go; return what is left of it."""
    before = set(uploads.own_folder().iterdir())
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.mp4"\r\n\r\n'
    address = httpx.URL(served.address)
    with socket.create_connection((address.host, address.port)) as line:
        told = f"POST /gradio_api/upload HTTP/1.1\r\nHost: {address.host}\r\nContent-Length: {size + 500}\r\n"
        line.sendall(told.encode() + b"Content-Type: multipart/form-data; boundary=x\r\n\r\n" + head + os.urandom(size))
        (left,) = _until(
            lambda: {p for p in set(uploads.own_folder().iterdir()) - before if p.stat().st_size >= size}, 1
        )
    return left


def test_what_is_left_of_an_upload_that_broke_off_is_counted_and_then_removed(served, quota):
    """Gradio forgets it: whoever breaks off often enough would fill the disk."""
    left = broken_off(served, 6000)
    assert sent(served, "whole.mp4", 6000).status_code == 507 and left.exists()
    long_ago = time.time() - uploads.BROKEN_OFF_S - 1
    os.utime(left, (long_ago, long_ago))
    answered = _until(lambda: {200} & {sent(served, "whole.mp4", 6000).status_code}, 1)  # once the page knows who went
    assert answered and not left.exists()


def test_no_request_is_larger_than_any_use_of_the_page(served, monkeypatch):
    monkeypatch.setattr(host, "UPLOAD_REQUEST_BYTES", 100_000)
    monkeypatch.setattr(constants, "REQUEST_BYTES", 50_000)
    assert sent(served, "a.mp4", 200_000).status_code == 413
    asked = {"data": ["x" * 60_000], "fn_index": 0, "session_hash": "s"}
    assert served.http.post("/gradio_api/queue/join", json=asked).status_code == 413


def test_a_request_of_no_stated_length_ends_where_it_is_too_large(monkeypatch):
    monkeypatch.setattr(constants, "REQUEST_BYTES", 2500)
    took = []

    async def app(scope, receive, send):
        while (message := await receive())["type"] == "http.request":
            took.append(message["body"])

    async def endless():
        return {"type": "http.request", "body": b"x" * 1000, "more_body": True}

    asked = {"type": "http", "method": "POST", "path": "/gradio_api/queue/join", "headers": []}
    answer = uploads.Bounds(app, SimpleNamespace())(asked, endless, None)
    with ThreadPoolExecutor(1) as aside:  # a browser's test may have left an event loop in this one
        aside.submit(asyncio.run, answer).result()
    assert len(took) == 2


def test_a_clip_that_was_swept_is_told_so(served, clip):
    """As a visitor comes back after lunch."""
    uploaded = served.upload(clip)
    Path(uploaded["path"]).unlink()
    for event in (answering(served, "plan"), served.event("compare")):
        told = str(served.call(event, given(served, event, clip=uploaded)))
        assert "clip.mp4" in told and "Choose it again" in told and str(Path(uploaded["path"]).parent) not in told


def test_what_is_old_is_swept_though_gradio_may_have_stopped_to_look(tmp_path):
    old, shown = tmp_path / "a" / "old.mp4", tmp_path / "b" / "poster.webp"
    for path in (old, shown):
        path.parent.mkdir()
        path.write_bytes(b"")
    known = {str(old), str(shown)}
    page = SimpleNamespace(blocks={1: SimpleNamespace(keep_in_cache={str(shown)})}, temp_file_sets=[known])
    uploads.sweep(page, tmp_path, 3600)
    assert old.exists()
    uploads.sweep(page, tmp_path, -1)
    assert not old.exists() and shown.exists() and known == {str(shown)}


def test_pictures_that_wait_as_one_clip_are_needed(served, tmp_path):
    """Their zip is made here: it is no upload."""
    frame = media.ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x48:d=0.04", "-frames:v", "1", str(tmp_path / "1.png"))
    assert not frame.stderr
    event = next(e for e in served.events if served.kinds(e) == ["uploadbutton"])
    made = served.call(event, [[served.upload(tmp_path / "1.png")]])[-1]["output"]["data"][0]["path"]
    queued = SimpleNamespace(data=SimpleNamespace(data=[{"path": made}]))
    queue = SimpleNamespace(event_queue_per_concurrency_id={"device": SimpleNamespace(queue=[queued])}, active_jobs=[])
    page = SimpleNamespace(_queue=queue, temp_file_sets=served.page.temp_file_sets)
    assert uploads.needed(page) == {made}


def test_a_visitor_who_left_is_forgotten(served, plan_of_nothing):
    with served.present("guest"):
        plan_of_nothing("guest")
        assert "guest" in served.page.state_holder.session_data
    end = time.monotonic() + 60
    while "guest" in served.page.state_holder.session_data and time.monotonic() < end:
        time.sleep(0.1)
    assert "guest" not in served.page.state_holder.session_data


@pytest.fixture
def plan_of_nothing(served):
    event = answering(served, "plan")
    return lambda session: served.call(event, given(served, event), session)


# Both pages are children of a process that has loaded what they need, which takes seconds.
ONE_KILLED_THEN_ANOTHER = """from mgld import host
from mgld.ui.uploads import own_folder
import os, signal
if not (killed := os.fork()):
    (own_folder() / "upload.mp4").write_text("")
    os.kill(os.getpid(), signal.SIGKILL)
_, ended = os.waitpid(killed, 0)
left = list(host.UPLOADS_IN.rglob("upload.mp4"))
print(os.WTERMSIG(ended) == signal.SIGKILL, len(left), flush=True)
own_folder()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
def test_what_a_killed_page_held_is_gone_when_the_next_one_starts(tmp_path):
    command, kept = [sys.executable, "-c", ONE_KILLED_THEN_ANOTHER], tmp_path / "kept"
    done = subprocess.run(command, env=os.environ | {"GRADIO_TEMP_DIR": str(kept)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True", "1"] and list(kept.iterdir()) == []
