"""Uploads of runs that wait or work: Gradio sweeps files by their age, and a line may be longer than that."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import gradio as gr

LOOKS = 10  # in the time after which a file would be swept


def keep_fresh(page: gr.Blocks, swept_s: float) -> None:
    """Keep what is needed from being swept, beside a page that is about to be served, for as long as it is."""

    def watch() -> None:
        time.sleep(swept_s / LOOKS)
        while page.is_running:
            touch(needed(page))
            time.sleep(swept_s / LOOKS)

    threading.Thread(target=watch, daemon=True, name="uploads").start()


def needed(page: gr.Blocks) -> set[str]:
    """Return the uploads that events in the queue name; what else a client may have named is nobody's upload."""
    queue = page._queue
    events = [event for line in list(queue.event_queue_per_concurrency_id.values()) for event in list(line.queue)]
    events += [event for job in list(queue.active_jobs) if job for event in job]
    named = {path for event in events if event.data is not None for path in _paths(event.data.data)}
    return named & set(page.upload_file_set)


def touch(files: set[str]) -> None:
    """Make files as young as can be: their age is counted from the last change of their inode."""
    for file in files:
        with suppress(OSError):  # swept, or taken away by its visitor
            os.utime(file)


def _paths(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(path := value.get("path"), str):
            yield path
    elif isinstance(value, list):
        for part in value:
            yield from _paths(part)
