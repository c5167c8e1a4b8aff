"""Payloads that no browser sends, to every endpoint of a running page: a result or a sentence may come out, nothing else."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from pathlib import Path

import httpx
import numpy as np

from mgld.ui import words
from tests import media
from tests.served import Served
from tests.soak.studio import ROOT, Studio

DEEP: list = []
for _ in range(200):
    DEEP = [DEEP]
AS_FILE = {"meta": {"_type": "gradio.FileData"}}
JUNK = [
    None, True, False, 0, -1, 1, 2.5, 1e308, -1e308, 2**63, "nan", "", "7", "x" * 200_000, "\0", "\U0001f39e\u202e%s%n", "\ud800",
    "../../etc/passwd", "/etc/passwd", "http://127.0.0.1:9/x.mp4", "file:///etc/passwd", "concat:/etc/passwd", "{{7*7}}", "${x}",
    "<img src=x onerror=x()>", [], [None], [1, "a", {}], ["mgld"] * 500, {}, {"a": 1}, DEEP, {"path": "/etc/passwd"},
    {"path": "/etc/passwd", **AS_FILE}, {"path": "\0", **AS_FILE}, {"path": 7, **AS_FILE}, {"path": "", **AS_FILE},
    {"path": "http://127.0.0.1:9/x", "url": "http://127.0.0.1:9/x", **AS_FILE}, {"__class__": "os.system"},
    {"path": "x", "orig_name": "../../x", "size": -1, **AS_FILE}, {"__type__": "update", "value": 3},
]  # fmt: skip
SESSIONS = ["..", "/etc", "", "x" * 5000, "\0", "a/b", "s", "{{7*7}}"]
ENDS = ("process_completed", "close_stream", "unexpected_error")
PATIENCE_S = 120.0
FAULT = words.FAILED.split("{")[0]


class Attacker:
    """A page, a clip that it took, and cases that a number names."""

    def __init__(self, studio: Studio, folder: Path) -> None:
        self.studio = studio
        self.served = Served(studio.address)
        self.served.http.timeout = httpx.Timeout(PATIENCE_S)
        clip = media.make_video(folder / "clip.mp4", media.coded_frames(2, 32, 32), fps=10)
        self._clip, self._seen = self.served.upload(clip), len(self._log())

    def case(self, number: int) -> dict:
        """Return what is sent: an event's values with one to four of them replaced, and sometimes more that is wrong."""
        rng = np.random.default_rng(number)
        event = self.served.events[int(rng.integers(0, len(self.served.events)))]
        values = self.served.values(event)
        for place, kind in enumerate(self.served.kinds(event)):
            name = self.served.parts[event["inputs"][place]]["props"].get("elem_id")
            values[place] = self._clip if kind == "file" and rng.random() < 0.5 else values[place]
            values[place] = 1 if name in ("frames", "knob-steps") else values[place]
        for _ in range(int(rng.integers(1, 5)) if values else 0):
            values[int(rng.integers(0, len(values)))] = _junk(rng)
        if rng.random() < 0.15:
            values = [values[:-1], [*values, _junk(rng)], _junk(rng)][int(rng.integers(0, 3))]
        session = SESSIONS[int(rng.integers(0, len(SESSIONS)))] if rng.random() < 0.2 else f"fuzz-{number}"
        asked = {"data": values, "fn_index": event["id"], "session_hash": session}
        if rng.random() < 0.1:
            asked[["fn_index", "session_hash", "trigger_id", "event_data"][int(rng.integers(0, 4))]] = _junk(rng)
        return asked

    def outcome(self, asked: dict) -> dict:
        """Send a case; return {"outcome": result, refused, broke, leaked or hung} with what was answered where it matters."""
        try:
            told = self._answer(asked)
        except httpx.TimeoutException:
            return {"outcome": "hung", "trace": json.dumps(asked)[:2000]}
        except httpx.HTTPError as error:  # the connection was cut: the page may have died
            told = {"error": type(error).__name__} if self._lives() else {"died": True}
        log = self._log()
        fresh, self._seen = log[self._seen :], len(log)
        if "died" in told or _leads_through_us(fresh) and not _is_refusal(fresh) or FAULT in json.dumps(told):
            return {"outcome": "broke", "trace": f"{json.dumps(asked)[:2000]}\n{fresh[-4000:]}"}
        if leak := _leak(told):
            return {"outcome": "leaked", "trace": f"{json.dumps(asked)[:2000]}\n{leak}"}
        return {"outcome": "result" if told.get("success") else "refused"}

    def _log(self) -> str:
        return self.studio.log.read_text(encoding="utf-8", errors="replace")

    def _lives(self) -> bool:
        return self.served.http.get("/").status_code == 200

    def _answer(self, asked: dict) -> dict:
        """Return the last answer to a case, or what refused it at the door."""
        body = json.dumps(asked)  # NaN and infinity as JSON has no words for
        headers = {"content-type": "application/json"}
        joined = self.served.http.post("/gradio_api/queue/join", content=body, headers=headers)
        if joined.status_code != 200:
            return {"success": False, "output": joined.text}
        event_id, end = joined.json()["event_id"], time.monotonic() + PATIENCE_S
        where = {"session_hash": asked["session_hash"]}
        with self.served.http.stream("GET", "/gradio_api/queue/data", params=where) as lines:
            for line in (line for line in lines.iter_lines() if line.startswith("data:")):
                told = json.loads(line[5:])
                if told["msg"] in ENDS and told.get("event_id") in (event_id, None):
                    return told
                if time.monotonic() > end:
                    raise httpx.ReadTimeout("no end")
        return {"success": False, "output": None}


def _junk(rng: np.random.Generator) -> object:
    return [*JUNK, float("nan"), float("inf")][int(rng.integers(0, len(JUNK) + 2))]


def _leads_through_us(trace: str) -> bool:
    """Say whether some of this program stands in a trace; that every request is handed on by what bounds it does not count."""
    ours = re.findall(rf'File "{re.escape(str(ROOT))}/mgld/(\S+)", line \d+, in (\w+)', trace)
    return bool(set(ours) - {("ui/uploads.py", "__call__")})


def _is_refusal(log: str) -> bool:
    """Say whether every trace of a log ends in a sentence for a person."""
    ends = re.findall(r"^(\w[\w.]*(?:Error|Exception|Interrupt))\b", log, re.MULTILINE)
    return bool(ends) and all(end.endswith(("gradio.exceptions.Error", "UserError")) for end in ends)


def _leak(told: dict) -> str | None:
    """Return words of an answer in which a place of the machine or a trace stands; files that are served have their own address."""
    for text in _texts(told.get("output")):
        if str(ROOT) in text or "Traceback" in text or re.search(r'File "/|site-packages', text):
            return text[:500]
    return None


def _texts(value: object, name: str = "") -> list[str]:
    if isinstance(value, str):
        return [] if name in ("path", "url") else [value]
    if isinstance(value, dict):
        return [text for key, part in value.items() for text in _texts(part, str(key))]
    return [text for part in value for text in _texts(part)] if isinstance(value, list) else []


def run(seconds: float, first: int, folder: Path, most: int | None = None) -> tuple[Counter, list[tuple[int, dict]]]:
    """Attack for so long; return how often each outcome came, and what was neither result nor refusal."""
    counts, findings, studio, number = Counter(), [], Studio(folder), first
    try:
        attacker = Attacker(studio, folder)
        end = time.monotonic() + seconds
        while time.monotonic() < end and sum(counts.values()) != most:
            told = attacker.outcome(attacker.case(number))
            counts[told["outcome"]] += 1
            findings += [(number, told)] if told["outcome"] not in ("result", "refused") else []
            number += 1
    finally:
        studio.close()
    return counts, findings
