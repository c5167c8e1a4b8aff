"""The page as its browser talks to it: events by number, named or not, over plain HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx


class Served:
    """The running page, its configuration, and its events called as the browser calls them, named or not."""

    def __init__(self, address: str, timeout_s: float = 60) -> None:
        self.address = address
        self.http = httpx.Client(base_url=address, timeout=timeout_s)
        self.config = self.http.get("/config").json()
        self.parts = {part["id"]: part for part in self.config["components"]}
        self.events = self.config["dependencies"]
        self._sessions = 0

    def close(self) -> None:
        self.http.close()

    @contextmanager
    def present(self, session: str) -> Iterator[None]:
        """Be there as a browser is, whose leaving the page notices."""
        with self.http.stream("GET", f"/gradio_api/heartbeat/{session}") as beating:
            beats = beating.iter_lines()
            next(beats)
            yield

    def kinds(self, event: dict) -> list[str]:
        return [self.parts[i]["type"] for i in event["inputs"]]

    def values(self, event: dict) -> list:
        return [self.parts[i]["props"].get("value") for i in event["inputs"]]

    def place(self, event: dict, elem_id: str) -> int:
        return [self.parts[i]["props"].get("elem_id") for i in event["inputs"]].index(elem_id)

    def event(self, name: str) -> dict:
        return next(event for event in self.events if event["api_name"] == name)

    def call(self, event: dict, values: list, session: str | None = None) -> list[dict]:
        """Return what the page answers: the messages until the event is over."""
        self._sessions += session is None
        session = session or f"session-{self._sessions}"
        asked = {"data": values, "fn_index": event["id"], "session_hash": session}
        body, kind = json.dumps(asked), {"content-type": "application/json"}  # NaN too, which httpx refuses
        self.http.post("/gradio_api/queue/join", content=body, headers=kind).raise_for_status()
        answers = []
        with self.http.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as lines:
            for line in (line for line in lines.iter_lines() if line.startswith("data:")):
                answers.append(json.loads(line[5:]))
                if answers[-1]["msg"] == "process_completed":
                    return answers
        raise AssertionError("The event did not end.")

    def upload(self, path: Path, name: str | None = None) -> dict:
        sent = self.http.post("/gradio_api/upload", files={"files": (name or path.name, path.read_bytes())})
        return {"path": sent.json()[0], "orig_name": name or path.name, "meta": {"_type": "gradio.FileData"}}


def answering(served: Served, elem_id: str) -> dict:
    """Return the first event whose only output is that element."""
    return next(
        e for e in served.events if [served.parts[i]["props"].get("elem_id") for i in e["outputs"]] == [elem_id]
    )


def given(served: Served, event: dict, **values) -> list:
    found = served.values(event)
    for elem_id, value in values.items():
        found[served.place(event, elem_id)] = value
    return found
