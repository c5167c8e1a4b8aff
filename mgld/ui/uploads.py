"""What the page holds on disk for its visitors: in a folder that goes with this process, no older and no more than the host allows.

What runs that wait or work need is kept, however long the line is.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import lru_cache
from pathlib import Path

import gradio as gr
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mgld import constants, host
from mgld.folders import LOCK, WorkFolder
from mgld.ui import words

BROKEN_OFF_S = 120  # without a further byte
LOOKS = 10  # in the time after which a file would be swept


@lru_cache(maxsize=1)
def own_folder() -> Path:
    """Return this process's folder of uploads and results; what killed processes left beside it is removed."""
    if host.UPLOADS_IN is not None:
        host.UPLOADS_IN.mkdir(parents=True, exist_ok=True)
    folder = WorkFolder("mgld-page-", parent=host.UPLOADS_IN)
    owner = os.getpid()
    atexit.register(lambda: os.getpid() == owner and folder.close())  # ZeroGPU forks for every job
    host.keep_uploads_in(folder.path)
    return folder.path


def watch(page: gr.Blocks, swept_s: float) -> None:
    """Keep what runs need and sweep what is old, beside a page that is about to be served, for as long as it is."""

    def look() -> None:
        time.sleep(swept_s / LOOKS)
        while page.is_running:
            touch(needed(page))
            remove_broken_off(own_folder())
            sweep(page, own_folder(), swept_s)
            time.sleep(swept_s / LOOKS)

    threading.Thread(target=look, daemon=True, name="uploads").start()


def sweep(page: gr.Blocks, folder: Path, swept_s: float) -> None:
    """Remove files older than this, but for those that every visitor is shown.

    Gradio's own sweeping ends for ever where somebody uploads while it looks.
    """
    kept = {str(folder / LOCK)}.union(*(block.keep_in_cache for block in list(page.blocks.values())))
    for path in [Path(place, name) for place, _, names in os.walk(folder) for name in names]:
        with suppress(OSError):
            if str(path) not in kept and time.time() - path.stat().st_ctime > swept_s:
                path.unlink()
                for known in page.temp_file_sets:
                    known.discard(str(path))


def remove_broken_off(folder: Path) -> int:
    """Remove the parts of uploads that nobody has gone on with; return how many bytes those take that may still grow.

    Gradio writes what arrives beside the folders of whole files, and forgets it where the visitor breaks off.
    """
    left = 0
    for path in folder.iterdir():
        with suppress(OSError):
            stat = path.stat()
            if not path.is_file() or path.name == LOCK:
                continue
            if time.time() - stat.st_mtime > BROKEN_OFF_S:
                path.unlink()
            else:
                left += stat.st_size
    return left


def needed(page: gr.Blocks) -> set[str]:
    """Return the files that events in the queue name; what else a client may have named is none of this page's."""
    queue = page._queue
    events = [event for line in list(queue.event_queue_per_concurrency_id.values()) for event in list(line.queue)]
    events += [event for job in list(queue.active_jobs) if job for event in job]
    named = {path for event in events if event.data is not None for path in _paths(event.data.data)}
    return named & set().union(*map(set, page.temp_file_sets))


def touch(files: set[str]) -> None:
    """Make files as young as can be: their age is counted from the last change of their inode."""
    for file in files:
        with suppress(OSError):  # swept, or taken away by its visitor
            os.utime(file)


class Bounds:
    """ASGI: let no request be larger than any use of the page, and an upload in only where there is room for it."""

    def __init__(self, app: ASGIApp, page: gr.Blocks) -> None:
        self._app, self._page = app, page
        self._arriving, self._lock = 0, threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        is_upload = scope["path"].rstrip("/").endswith("/upload")
        most = host.UPLOAD_REQUEST_BYTES if is_upload else constants.REQUEST_BYTES
        stated = dict(scope["headers"]).get(b"content-length", b"")
        size = int(stated) if stated.isdigit() else most
        if size > most:
            await PlainTextResponse(words.REQUEST_TOO_LARGE, 413)(scope, receive, send)
            return
        with self._room(size) if is_upload else nullcontext(True) as there_is:
            answer = self._app if there_is else PlainTextResponse(words.UPLOADS_FULL, 507)
            await answer(scope, _ending(receive, size), send)

    @contextmanager
    def _room(self, size: int) -> Iterator[bool]:
        """Keep so many bytes free until the upload lies there or has failed; say whether that can be."""
        with self._lock:
            there_is = make_room(self._page, host.UPLOADS_BYTES - self._arriving - size)
            self._arriving += size if there_is else 0
        try:
            yield there_is
        finally:
            with self._lock:
                self._arriving -= size if there_is else 0


def _ending(receive: Receive, most_bytes: int) -> Receive:
    """Return receive, for which a client that sends more than this has gone."""
    got = 0

    async def bounded() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        return message if got <= most_bytes else {"type": "http.disconnect"}

    return bounded


def make_room(page: gr.Blocks, most_bytes: int) -> bool:
    """Remove uploads that no run needs, the oldest first, until all take no more than this; say whether they do."""
    left, sizes, ages, kept = remove_broken_off(own_folder()), {}, {}, needed(page)
    for file in set(page.upload_file_set):
        with suppress(OSError):
            stat = os.stat(file)
            sizes[file], ages[file] = stat.st_size, stat.st_ctime
    if left + sum(size for file, size in sizes.items() if file in kept) > most_bytes:
        return False  # nothing is removed in vain
    for file in sorted(sizes.keys() - kept, key=ages.__getitem__):
        if left + sum(sizes.values()) <= most_bytes:
            break
        with suppress(FileNotFoundError):
            Path(file).unlink()
        del sizes[file]
    return True


def _paths(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(path := value.get("path"), str):
            yield path
    elif isinstance(value, list):
        for part in value:
            yield from _paths(part)
