"""The Label Studio backend, against the requests that Label Studio 1.23 sends."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from lal.errors import DataError, UsageError
from lal.labelling.tool_project import Settings
from scripts import label_studio
from scripts.label_studio_backend import Backend, read_interface, uid

ROOT = Path(__file__).resolve().parents[2]

CONFIG = """<View><Text name="note" value="$body"/>
<Choices name="kind" toName="note" choice="single">
<Choice value="boat"/><Choice value="pet"/>
</Choices></View>"""

CREATED = "2026-01-02T03:04:05.678900Z"

WORDS = (["ship", "sea", "sail", "port"], ["dog", "cat", "fur", "paw"])


def make_tasks(n=60):
    rng = np.random.default_rng(0)
    texts = [f"{' '.join(rng.permutation(WORDS[i % 2])[:3])} {rng.integers(99)}" for i in range(n)]
    return [{"id": i, "data": {"body": text}} for i, text in enumerate(texts)]


def about():
    return {"id": 4, "title": "notes", "created_at": CREATED, "label_config": CONFIG}


def annotated(task, action="ANNOTATION_CREATED", **changed):
    label = ("boat", "pet")[task["id"] % 2]
    value = {
        "from_name": "kind",
        "to_name": "note",
        "type": "choices",
        "value": {"choices": [label]},
    }
    annotation = {"id": 1000 + task["id"], "was_cancelled": False, "result": [value], **changed}
    return {"action": action, "project": about(), "task": task, "annotation": annotation}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def client(folder):
    backend = Backend(folder, Settings(policy="margin", every=5))
    with TestClient(backend.application(), base_url="http://localhost:9090") as client:
        yield client
    backend.close()


def predict(client, tasks):
    body = {"tasks": tasks, "project": uid(about()), "label_config": CONFIG, "params": {}}
    answer = client.post("/predict", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_contract(client):
    assert client.get("/health").json()["status"] == "UP"
    setup = {"project": uid(about()), "schema": CONFIG, "hostname": "", "access_token": "x"}
    assert client.post("/setup", json=setup).json() == {
        "model_version": "learned-active-learning-0"
    }
    tasks = make_tasks()
    first = predict(client, tasks)
    assert len(first["results"]) == 60
    assert sorted(r["score"] for r in first["results"]) == [i / 60 for i in range(60)]
    assert all(r["result"] == [] for r in first["results"])  # no model yet
    for task in tasks[:12]:
        assert client.post("/webhook", json=annotated(task)).status_code == 200
    second = predict(client, tasks)
    assert second["model_version"] == "learned-active-learning-10"
    assert {r["model_version"] for r in second["results"]} == {"learned-active-learning-10"}
    assert [r["score"] for r in first["results"]] != [r["score"] for r in second["results"]]
    assert all(r["score"] == 1.0 for r in second["results"][:10])  # fitted to: last
    right = [
        r["result"][0]["value"]["choices"] == [("boat", "pet")[i % 2]]
        for i, r in enumerate(second["results"])
    ]
    assert np.mean(right) > 0.9
    value = second["results"][30]["result"][0]
    assert (value["from_name"], value["to_name"], value["type"]) == ("kind", "note", "choices")
    assert 0.5 <= value["score"] <= 1.0
    assert predict(client, tasks) == second
    part = predict(client, tasks[30:32])["results"]  # a part of the tasks has the same places
    assert part == second["results"][30:32]


def test_changes_skips_and_deletions(client):
    tasks = make_tasks()
    predict(client, tasks)
    for task in tasks[:10]:
        client.post("/webhook", json=annotated(task))
    client.post("/webhook", json=annotated(tasks[10], was_cancelled=True, result=[]))
    other = annotated(tasks[0], "ANNOTATION_UPDATED")
    other["annotation"]["result"][0]["value"]["choices"] = ["pet"]
    client.post("/webhook", json=other)
    gone = {"action": "ANNOTATIONS_DELETED", "project": about(), "annotations": [{"id": 1001}]}
    client.post("/webhook", json=gone)
    client.post("/webhook", json=gone)  # once more changes nothing
    started = client.post("/webhook", json={"action": "START_TRAINING", "project": about()})
    assert started.json()["model_version"] == "learned-active-learning-13"
    results = predict(client, tasks)["results"]
    scores = [r["score"] for r in results]
    assert scores[1] < 1.0  # its answer was taken back
    assert scores[10] == 1.0  # skipped
    assert scores[0] == 1.0
    again = client.post("/webhook", json={"action": "START_TRAINING", "project": about()})
    assert again.json() == started.json()
    assert client.post("/webhook", json={"action": "PROJECT_UPDATED"}).json() == {
        "status": "passed over"
    }


def test_a_restart_changes_nothing(client, folder):
    tasks = make_tasks()
    predict(client, tasks)
    for task in tasks[:13]:
        client.post("/webhook", json=annotated(task))
    before = predict(client, tasks)
    copy = folder.with_name("copy")
    copy.mkdir()
    (file,) = folder.iterdir()
    torn = file.read_bytes() + b'{"do": "answer", "id": "50", "la'
    (copy / file.name).write_bytes(torn)
    other = Backend(copy, Settings(policy="margin", every=5))
    with TestClient(other.application(), base_url="http://localhost:9090") as restarted:
        assert predict(restarted, tasks) == before
        for task in tasks[13:15]:
            restarted.post("/webhook", json=annotated(task))
        assert predict(restarted, tasks)["model_version"] == "learned-active-learning-15"
    other.close()
    assert b"torn" not in (copy / file.name).read_bytes()
    assert all(json.loads(line) for line in (copy / file.name).read_text().splitlines())


def test_near_duplicates_are_kept_apart(client):
    tasks = make_tasks(20)
    twins = [{"id": 100 + t["id"], "data": t["data"]} for t in tasks]
    results = predict(client, [*tasks, *twins])["results"]
    order = np.argsort([r["score"] for r in results])
    firsts = {int(i) % 20 for i in order[:20]}
    assert len(firsts) == 20


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/predict", {}, "expected project, a text like '1.1700000000', got None"),
        ("/predict", {"project": "../x"}, "expected project"),
        ("/predict", {"project": "9.9"}, "project '9.9' is not known yet"),
        ("/predict", {"project": "9.9", "label_config": CONFIG}, "expected tasks, a list"),
        ("/setup", {"project": "9.9", "schema": "<View"}, "is not XML"),
        ("/webhook", {"action": "ANNOTATION_CREATED"}, "expected project, an object"),
        ("/webhook", {"action": "ANNOTATION_CREATED", "project": about()}, "expected annotation"),
        ("/webhook", {"action": "START_TRAINING", "project": {"id": 1}}, "no time of creation"),
    ],
)
def test_requests_that_are_refused(client, path, body, message):
    answer = client.post(path, json=body)
    assert answer.status_code == 400
    assert message in answer.json()["error"]


def test_only_json_from_this_machine(client):
    kind = {"content-type": "text/plain"}
    assert "expected JSON (" in client.post("/setup", content="{}", headers=kind).json()["error"]
    foreign = client.post("/setup", json={}, headers={"host": "evil.example:9090"})
    assert "for this machine only" in foreign.json()["error"]
    kind = {"content-type": "application/json"}
    assert "expected a JSON object" in client.post("/setup", content="[]", headers=kind).text
    assert client.post("/setup", content="[", headers=kind).status_code == 400


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("<View/>", "exactly one <Choices>"),
        (CONFIG.replace('"single"', '"multiple"'), "one answer a task"),
        (CONFIG.replace('<Choice value="pet"/>', ""), "needs two answers, it has 1"),
        ("<!DOCTYPE a><View/>", "declares a document type"),
    ],
)
def test_interfaces_that_cannot_be_used(config, message):
    with pytest.raises(DataError, match=message):
        read_interface(config)


def test_two_backends_do_not_share_a_folder(client, folder):
    predict(client, make_tasks())
    other = Backend(folder, Settings())
    with pytest.raises(UsageError, match="another process has the journal"):
        other.project(uid(about()), CONFIG)


def test_answers_survive_a_kill(tmp_path):
    port = _free_port()
    command = [sys.executable, "-m", "scripts.label_studio", "--port", str(port)]
    command += ["--folder", str(tmp_path), "--policy", "margin", "--every", "5"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    tasks = make_tasks(30)
    body = {"tasks": tasks, "project": uid(about()), "label_config": CONFIG}
    seen = []
    for run in range(2):
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE)
        try:
            _wait(port)
            if run == 0:
                _post(port, "predict", body)
                for task in tasks[:11]:
                    _post(port, "webhook", annotated(task))
            seen.append(_post(port, "predict", body))
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
    assert seen[0] == seen[1]
    assert seen[0]["model_version"] == "learned-active-learning-10"


def test_flags(capsys):
    assert label_studio.run(["--every", "0"]) == 2
    assert "every must be at least 1" in capsys.readouterr().err
    assert label_studio.run(["--policy", "nothing"]) == 2
    assert "unknown strategy 'nothing'" in capsys.readouterr().err


def _free_port():
    import socket

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def _post(port, path, body):
    request = urllib.request.Request(
        f"http://localhost:{port}/{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def _wait(port):
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://localhost:{port}/health", timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the backend did not start")
