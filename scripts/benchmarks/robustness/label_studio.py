"""The backend against a real Label Studio, from end to end: label, kill, go on.

Start Label Studio with ``ML_BLOCK_LOCAL_IP=false SSRF_PROTECTION_ENABLED=false`` and a user with a
legacy token in ``LABEL_STUDIO_TOKEN``, then ``python -m scripts.benchmark label_studio``. A project
is made and stays there. Every row says what was looked at and whether it held. With ``--pictures
FOLDER --user EMAIL`` and the password in ``LABEL_STUDIO_PASSWORD`` a headless Chromium also takes
two pictures.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lal.errors import UsageError
from lal.rng import generator
from scripts.benchmarks.base import Benchmark, Results
from scripts.benchmarks.robustness.label_studio_pictures import find_browser, take_pictures

INTERFACE = (
    '<View><Text name="note" value="$text"/><Choices name="kind" toName="note" choice="single">'
    '<Choice value="boat"/><Choice value="pet"/></Choices></View>'
)

TOKEN, PASSWORD = "LABEL_STUDIO_TOKEN", "LABEL_STUDIO_PASSWORD"
"""Variables of the environment, since flags are written to JSON files."""

WORDS = {
    "boat": ("ship", "sea", "sail", "port", "wave", "mast"),
    "pet": ("dog", "cat", "fur", "paw", "tail", "vet"),
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Where Label Studio is."""

    url: str = "http://localhost:8080"
    """Its address."""

    folder: Path = Path("label-studio-check")
    """State of the backend; must not be there yet."""

    port: int = 19090
    """Port of the backend."""

    tasks: int = 120
    """Texts that are imported."""

    answers: int = 30
    """Texts that are labelled, the first of the order; a multiple of ten."""

    pictures: Path | None = None
    """Folder for pictures of the project; none are taken without it."""

    user: str = ""
    """E-mail address of the user, for the pictures."""


class Studio:
    """Calls of Label Studio's API about one project."""

    def __init__(self, config: Config) -> None:
        self.config = config
        made = self.call("POST", "/api/projects", {"title": "check", "label_config": INTERFACE})
        self.project = made["id"]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Return the JSON that a call answers."""
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Token {os.environ[TOKEN]}",
        }
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.config.url + path, data, headers=headers, method=method
        )
        with urllib.request.urlopen(request, timeout=600) as answer:
            return json.loads(answer.read() or b"null")

    def predictions(self) -> dict[int, Mapping[str, Any]]:
        """Ask for predictions of all tasks and return the last of each, by its id."""
        everything = {
            "selectedItems": {"all": True, "excluded": []},
            "ordering": [],
            "filters": {"conjunction": "and", "items": []},
        }
        action = f"/api/dm/actions?id=retrieve_tasks_predictions&project={self.project}"
        self.call("POST", action, everything)
        path = f"/api/tasks?project={self.project}&page_size=10000&fields=all"
        tasks = self.call("GET", path)["tasks"]
        return {t["id"]: max(t["predictions"], key=lambda p: p["id"]) for t in tasks}


def run(config: Config, results: Results) -> None:
    """Add a row for everything that is looked at.

    Raises:
        UsageError: No token, a folder that is there already, or nobody to log in for pictures.
    """
    if not os.environ.get(TOKEN) or config.folder.exists():
        raise UsageError(
            f"label_studio needs a token in {TOKEN}, and a --folder that is not there yet"
        )
    if config.pictures is not None:
        find_browser()
        if not (config.user and os.environ.get(PASSWORD)):
            raise UsageError(f"--pictures needs --user, and a password in {PASSWORD}, to log in")
    studio = Studio(config)
    backend = _start(config)
    try:
        truth = _import(config, studio)
        model = {"url": f"http://localhost:{config.port}", "project": studio.project}
        studio.call("POST", "/api/ml", model)
        first = studio.predictions()
        order = sorted(first, key=lambda task: first[task]["score"])
        done = order[: config.answers]
        for task in done:
            studio.call("POST", f"/api/tasks/{task}/annotations", _annotation(truth[task]))
        backend.send_signal(signal.SIGKILL)
        backend.wait()
        backend = _start(config)
        second = studio.predictions()
        again = sorted(second, key=lambda task: second[task]["score"])
        left = [task for task in order if task not in done]
        kept = sum(f.read_text().count('"answer"') for f in config.folder.iterdir())
        right = sum(_predicted(second[task]) == truth[task] for task in left)
        _row(results, "answers on the disk after a kill", f"{kept} of {len(done)}")
        _row(results, "models that predicted", {p["model_version"] for p in second.values()})
        _row(results, "order of the others changed", left != [t for t in again if t not in done])
        _row(results, "labelled ones stand last", set(again[-len(done) :]) == set(done))
        _row(results, "predicted right, of the others", f"{right} of {len(left)}")
        if config.pictures is not None:
            who = (config.user, os.environ[PASSWORD])
            take_pictures(config.url, who, studio.project, again[0], config.pictures)
    finally:
        backend.terminate()
        backend.wait()


def _row(results: Results, what: str, found: object) -> None:
    shown = ", ".join(sorted(found)) if isinstance(found, set) else str(found)
    results.add("label-studio", {"looked at": what, "found": shown})


def _start(config: Config) -> "subprocess.Popen[bytes]":
    """Start the backend and wait until it answers.

    Raises:
        UsageError: It does not.
    """
    command = [sys.executable, "-m", "scripts.label_studio", "--port", str(config.port)]
    process = subprocess.Popen([*command, "--folder", str(config.folder)])
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://localhost:{config.port}/health", timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return process
    process.terminate()
    raise UsageError(f"the backend does not answer on port {config.port}")


def _import(config: Config, studio: Studio) -> dict[int, str]:
    """Import texts and return the class of each, by the id of its task."""
    rng = generator(0, "label studio")
    texts = []
    for i in range(config.tasks):
        kind = ("boat", "pet")[i % 2]
        words = rng.choice(WORDS[kind], size=3, replace=False)
        texts.append({"text": f"{' '.join(words)} {rng.integers(99)}", "kind": kind})
    studio.call("POST", f"/api/projects/{studio.project}/import", texts)
    path = f"/api/tasks?project={studio.project}&page_size=10000"
    return {task["id"]: task["data"]["kind"] for task in studio.call("GET", path)["tasks"]}


def _annotation(kind: str) -> dict[str, Any]:
    value = {"choices": [kind]}
    result = {"from_name": "kind", "to_name": "note", "type": "choices", "value": value}
    return {"result": [result]}


def _predicted(prediction: Mapping[str, Any]) -> str | None:
    return next((str(r["value"]["choices"][0]) for r in prediction["result"]), None)


main = Benchmark("label_studio", Config, run)
