"""The page as strangers reach it, over HTTP: what its endpoints refuse, and what no answer tells."""

from __future__ import annotations

import http.server
import itertools
import re
import threading
from functools import partial
from pathlib import Path

import httpx
import pytest

from mgld import worker
from mgld.errors import UserError
from mgld.folders import WorkFolder
from mgld.host import ASSETS
from mgld.ui import handlers, running, words
from mgld.ui.element import PAGE
from mgld.video import probe
from tests.served import answering, given

FILES = ("file", "uploadbutton")  # kinds of controls whose value is a file
ROOT = ASSETS.parent


@pytest.fixture
def plan(served) -> dict:
    """The event that says what a run would come to; it looks at the clip."""
    return answering(served, "plan")


def as_file(path: object) -> dict:
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}}


def test_a_clip_that_was_uploaded_is_looked_at(served, plan, clip):
    answer = served.call(plan, given(served, plan, clip=served.upload(clip)))[-1]
    assert answer["success"] and f"{probe(clip).frame_count} frames" in str(answer["output"])


def test_no_endpoint_takes_a_file_that_was_not_uploaded(served, clip):
    """The clip is a good one, so an endpoint that took it would answer."""
    tried = 0
    for event in served.events:
        for place, kind in enumerate(served.kinds(event)):
            if kind in FILES:
                values, several = served.values(event), served.parts[event["inputs"][place]]["props"]["file_count"]
                values[place] = [as_file(clip)] if several == "multiple" else as_file(clip)
                answers = served.call(event, values)
                assert answers[-1]["output"] == {"error": None}, event["api_name"]
                assert "process_generating" not in {a["msg"] for a in answers}, event["api_name"]
                tried += 1
    assert tried > 10


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../../../etc/passwd",
        "file:///etc/passwd",
        "concat:/etc/passwd|/etc/hosts",
        "subfile:/etc/passwd",
        "",
    ],
)
def test_paths_and_protocols_in_place_of_an_upload_are_refused(served, plan, path):
    answer = served.call(plan, given(served, plan, clip=as_file(path)))[-1]
    assert not answer["success"] and answer["output"] == {"error": None}


def test_an_address_in_place_of_an_upload_causes_no_request_to_this_machine(served, plan):
    hits = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            hits.append(self.path)
            self.send_error(404)

    with http.server.HTTPServer(("127.0.0.1", 0), Listener) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{listener.server_port}/clip.mp4"
        for file in (as_file(address), as_file("/x") | {"url": address}, as_file(address) | {"url": address}):
            assert not served.call(plan, given(served, plan, clip=file))[-1]["success"]
        assert served.http.get(f"/gradio_api/file={address}").status_code == 403
        listener.shutdown()
    assert hits == []


def test_a_playlist_that_is_uploaded_causes_no_request(served, plan, tmp_path):
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    answer = served.call(plan, given(served, plan, clip=served.upload(tmp_path / "list.mp4")))[-1]
    assert answer["success"] and "“list.mp4” is" in str(answer["output"])


@pytest.mark.parametrize("place", ["/etc/passwd", f"{ROOT}/app.py", f"{ASSETS}/models/tiny/README.md", "../app.py"])
def test_no_file_of_the_machine_is_served(served, place):
    assert served.http.get(f"/gradio_api/file={place}").status_code in (403, 404)


@pytest.mark.parametrize("model", ["/etc", "../tiny", "somebody/weights", "sd22", ["tiny"], {"path": "/"}, 7])
def test_only_models_that_are_offered_are_taken(served, model, clip):
    event = served.event("compare")
    answers = served.call(event, given(served, event, clip=served.upload(clip), model=model))
    assert "not in the list of choices" in answers[-1]["output"]["error"]
    assert "process_generating" not in {a["msg"] for a in answers}


def test_no_parameter_of_the_api_is_a_path_or_an_address(served):
    endpoints = served.http.get("/gradio_api/info").json()["named_endpoints"]
    assert list(endpoints) == ["/compare"]
    parameters = {p["parameter_name"]: p for p in endpoints["/compare"]["parameters"]}
    texts = [name for name, p in parameters.items() if p["component"] == "Textbox"]
    assert texts == ["crop"]  # four numbers, read by a pattern
    assert [name for name, p in parameters.items() if p["component"] == "File"] == ["clip", "truth", "others"]


@pytest.mark.parametrize("values", [[], [1, 2], [None] * 400])
def test_a_call_of_the_wrong_shape_is_refused_and_the_next_one_works(served, plan, clip, values):
    for event in (plan, served.event("compare")):
        assert not served.call(event, values)[-1]["success"]
    assert served.call(plan, given(served, plan, clip=served.upload(clip)))[-1]["success"]


def test_nonsense_is_refused_and_the_page_goes_on(served):
    join = f"{served.address}/gradio_api/queue/join"
    nested = '{"data":' + "[" * 20_000 + "]" * 20_000 + ',"fn_index":0,"session_hash":"s"}'
    assert httpx.post(join, content=nested, headers={"content-type": "application/json"}).status_code == 400
    unknown = {"data": [], "fn_index": 9999, "session_hash": "s"}
    assert httpx.post(join, json=unknown).status_code >= 400
    assert served.http.get("/").status_code == 200


NO_NUMBERS = [True, "7", [1], {}, -1, 1e308, None, float("nan"), float("inf")]
NUMBERS = ["frames", "start", "knob-seed", "knob-guidance"]


@pytest.mark.parametrize(("field", "value"), [("frames", 2.5), *itertools.product(NUMBERS, NO_NUMBERS)])
def test_numbers_are_checked_beyond_gradios_controls(served, plan, clip, field, value):
    """Whatever an API client sends is refused by the field's label."""
    answer = served.call(plan, given(served, plan, clip=served.upload(clip), **{field: value}))[-1]
    label = served.parts[plan["inputs"][served.place(plan, field)]]["props"]["label"]
    assert label in str(answer["output"]) and "must be" in str(answer["output"])


def test_a_megabyte_is_not_said_again(served, plan, clip):
    long = "x" * 10**6
    for field in ("frames", "crop"):
        answer = served.call(plan, given(served, plan, clip=served.upload(clip), **{field: long}))[-1]
        assert "must be" in str(answer["output"]) and len(str(answer)) < 2000


@pytest.mark.parametrize("session", ["..", "/etc/" + "x" * 5000])
def test_a_session_of_any_name_touches_nothing(served, plan, clip, session, tmp_path, monkeypatch):
    temporary = tmp_path / "tmp" / "own"
    temporary.mkdir(parents=True)
    (temporary.parent / "sentinel").write_text("here")
    monkeypatch.setattr(running, "WorkFolder", partial(WorkFolder, parent=temporary))
    event = served.event("compare")
    monkeypatch.setattr(worker, "open_pipeline", lambda *_: _absent())
    answers = served.call(event, given(served, event, clip=served.upload(clip), frames=1), session)
    assert "not here" in answers[-1]["output"]["error"]
    assert served.call(plan, given(served, plan), session)[-1]["success"]
    assert (temporary.parent / "sentinel").read_text() == "here" and list(temporary.iterdir()) == []


def _absent():
    raise UserError("The weights are not here.")


def test_the_queue_cannot_be_passed_by(served):
    queued = [event for event in served.events if event["queue"]]
    assert served.event("compare") in queued
    for event in queued:
        asked = {"data": served.values(event), "fn_index": event["id"], "session_hash": "s"}
        for name in ("compare", "predict"):
            assert served.http.post(f"/gradio_api/run/{name}", json=asked).status_code == 404


def test_nothing_that_is_served_tells_where_the_program_lies(served):
    for address in ("/", "/config", "/gradio_api/info", "/gradio_api/openapi.json"):
        assert str(ROOT) not in served.http.get(address).text, address


ODD = ["<img src=x onerror=boom()>.mp4", "${boom()}.mp4", "{{boom}}.mp4", "../../x.mp4", "é🎞.mp4", "-i.mp4"]


@pytest.mark.parametrize("name", ODD)
def test_odd_names_are_told_escaped_and_without_their_place(served, plan, noise, name):
    sent = served.upload(noise, name)
    told = str(served.call(plan, given(served, plan, clip=sent))[-1]["output"])
    assert "is not a video" in told and Path(sent["path"]).name.split("<")[0] in told
    assert str(Path(sent["path"]).parent) not in told and "<img" not in told


@pytest.mark.parametrize("asked", ["lab", "compare"])
def test_no_refusal_tells_where_an_upload_lies(served, noise, asked):
    event = served.event("compare") if asked == "compare" else answering(served, asked)
    sent = served.upload(noise)
    told = str(served.call(event, given(served, event, clip=sent)))
    assert "“noise.mp4” is not a video" in told and str(Path(sent["path"]).parent) not in told


@pytest.fixture
def noise(tmp_path) -> Path:
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 8)
    return tmp_path / "noise.mp4"


def test_a_fault_tells_no_more_than_a_reference(served, clip, monkeypatch):
    monkeypatch.setattr(handlers.request, "checked", lambda asked: (clip.parent / "secret").read_bytes())
    event = served.event("compare")
    answers = served.call(event, given(served, event, clip=served.upload(clip)))
    told = str(answers)
    assert re.search(words.FAILED.split("{")[0], told) and "secret" not in told and "FileNotFound" not in told


def test_templates_are_static():
    """Handlebars' double braces around text of a visitor would run it as a script."""
    found = list(PAGE.rglob("*.html"))
    assert found
    for path in found:
        assert not re.search(r"\{\{|\$\{", path.read_text(encoding="utf-8")), path


def test_nothing_is_counted_or_remembered_elsewhere(served):
    assert served.config["analytics_enabled"] is False
    assert not served.config.get("run_history") and not served.config.get("is_hosted_sharing")


def test_nobody_cancels_what_another_one_runs(served, clip):
    event, answers = served.event("compare"), []
    values = given(served, event, clip=served.upload(clip), frames=2)
    work = threading.Thread(target=lambda: answers.extend(served.call(event, values, "victim")))
    work.start()
    while not running.QUEUE._running:
        assert work.is_alive()
    for other in ("stranger", "", ".."):
        asked = {"session_hash": other, "fn_index": event["id"], "event_id": "guessed"}
        served.http.post("/gradio_api/cancel", json=asked)
    work.join()
    assert answers[-1]["success"] and "2 frames in" in str(answers[-1]["output"]), answers[-1]
