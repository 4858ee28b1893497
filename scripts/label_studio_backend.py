"""The HTTP contract of Label Studio's machine-learning backends, on a project kept on disk.

``GET /health``, ``POST /setup``, ``POST /predict`` and ``POST /webhook``, as Label Studio's
connector sends them (https://labelstud.io/guide/ml_create). Tasks become known when predictions
for them are asked; answers come by webhook.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any
from xml.etree import ElementTree

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lal.errors import DataError, LalError, UsageError
from lal.integrations.formats import AGENT
from lal.integrations.label_studio import choice, prediction, read_task
from lal.labelling.tool_project import Settings, ToolProject
from lal.serialization import parse_json

MAX_BODY = 64 * 2**20
"""Bytes that a request may carry; tasks come many at a time."""

LOCAL = ("127.0.0.1", "localhost")

ANSWERS = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED")


@dataclass(frozen=True)
class Labelling:
    """What a project's labelling interface asks.

    Attributes:
        control: Names of the choices and of what they are about.
        content: Field of a task with the text or image; "" where there is none.
        classes: The choices.
    """

    control: tuple[str, str]
    content: str
    classes: tuple[str, ...]


def read_interface(config: str) -> Labelling:
    """Return what a labelling interface, in Label Studio's XML, asks.

    Raises:
        DataError: It is not XML, or has not exactly one `Choices` with two answers or more.
    """
    if "<!DOCTYPE" in config or "<!ENTITY" in config:
        raise DataError("the labelling interface declares a document type, which is refused")
    try:
        root = ElementTree.fromstring(config)
    except ElementTree.ParseError as error:
        raise DataError(f"the labelling interface is not XML: {error}") from error
    choices = root.findall(".//Choices")
    if len(choices) != 1 or choices[0].get("choice", "single").startswith("multiple"):
        raise DataError(
            "the labelling interface needs exactly one <Choices>, with one answer a task "
            f'(choice="single"); it has {len(choices)}'
        )
    name, about = choices[0].get("name", ""), choices[0].get("toName", "")
    classes = tuple(c.get("alias") or c.get("value") or "" for c in choices[0].findall(".//Choice"))
    if len(classes) < 2:
        raise DataError(f"<Choices name={name!r}> needs two answers, it has {len(classes)}")
    shown = next((e for e in root.iter() if e.get("name") == about), None)
    value = "" if shown is None else shown.get("value", "")
    return Labelling((name, about), value.removeprefix("$"), classes)


class Backend:
    """Answers Label Studio for any number of projects, each kept in a file of its own.

    Args:
        folder: Where the files are.
        settings: How tasks are ranked.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder, self.settings = folder, settings
        self.lock = Lock()
        self.projects: dict[str, tuple[Labelling, ToolProject]] = {}

    def application(self) -> Starlette:
        """Return the four routes; / is health, too."""
        return Starlette(
            routes=[
                Route("/", self.health),
                Route("/health", self.health),
                Route("/setup", posted(self, self.setup), methods=["POST"]),
                Route("/predict", posted(self, self.predict), methods=["POST"]),
                Route("/webhook", posted(self, self.webhook), methods=["POST"]),
            ]
        )

    def close(self) -> None:
        """Close all files."""
        for _, project in self.projects.values():
            project.close()

    async def health(self, request: Request) -> Response:
        """Answer that the backend runs; never waits for a fit."""
        return JSONResponse({"status": "UP", "model_class": AGENT})

    def setup(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Read the labelling interface; return the version of the model."""
        _, project = self.project(body.get("project"), body.get("schema"))
        return {"model_version": version(project)}

    def predict(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Remember the tasks; return the place and predicted class of each."""
        labelling, project = self.project(body.get("project"), body.get("label_config"))
        tasks = body.get("tasks")
        if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
            raise DataError("expected tasks, a list of objects")
        items = [read_task({**task, "annotations": []}, labelling.content) for task in tasks]
        project.add(items)
        places = project.places()
        results = [
            {**prediction(places[item.id], labelling.control), "model_version": version(project)}
            for item in items
        ]
        return {"results": results, "model_version": version(project)}

    def webhook(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Take an answer, a change or a deletion; return whether anything was done."""
        action = body.get("action")
        about = body.get("project")
        if action in ANSWERS or action in ("ANNOTATIONS_DELETED", "START_TRAINING"):
            if not isinstance(about, dict):
                raise DataError("expected project, an object")
            labelling, project = self.project(uid(about), about.get("label_config"))
            self._act(str(action), body, labelling, project)
            return {"status": "ok", "model_version": version(project)}
        return {"status": "passed over"}

    def _act(
        self, action: str, body: Mapping[str, Any], labelling: Labelling, project: ToolProject
    ) -> None:
        if action == "START_TRAINING":
            project.fit()
        elif action == "ANNOTATIONS_DELETED":
            for annotation in body.get("annotations") or []:
                project.withdraw(str(annotation.get("id")))
        else:
            annotation, item = _annotation(body), read_task(_task(body), labelling.content)
            project.add([item])
            cancelled = annotation.get("was_cancelled")
            label = None if cancelled else choice(annotation, item.id)
            project.answer(item.id, label, str(annotation.get("id")))

    def project(self, uid: object, config: object) -> tuple[Labelling, ToolProject]:
        """Return a project by what Label Studio calls it, opened when first named.

        Raises:
            DataError: It has no name, or its interface was never sent or cannot be used.
        """
        name = uid if isinstance(uid, str) else ""
        if not name.replace(".", "").isalnum():
            raise DataError(f"expected project, a text like '1.1700000000', got {uid!r}")
        held = self.projects.get(name)
        if not isinstance(config, str) or not config:
            if held is None:
                raise DataError(f"project {name!r} is not known yet; set it up first")
            return held
        labelling = read_interface(config)
        if held is None or held[0] != labelling:
            if held is not None:
                held[1].close()
            path = self.folder / f"label-studio-{name}.jsonl"
            held = (labelling, ToolProject(path, labelling.classes, self.settings))
            self.projects[name] = held
        return held


def _task(body: Mapping[str, Any]) -> dict[str, Any]:
    task = body.get("task")
    if not isinstance(task, dict):
        raise DataError("expected task, an object; let the webhook send its payload")
    return {**task, "annotations": []}


def _annotation(body: Mapping[str, Any]) -> dict[str, Any]:
    annotation = body.get("annotation")
    if not isinstance(annotation, dict):
        raise DataError("expected annotation, an object; let the webhook send its payload")
    return annotation


def uid(project: Mapping[str, Any]) -> str:
    """Return what predictions call a project that a webhook describes: id and time of creation.

    Raises:
        DataError: It has neither.
    """
    try:
        created = datetime.fromisoformat(str(project.get("created_at")))
    except ValueError as error:
        raise DataError(f"project {project.get('id')!r} has no time of creation") from error
    return f"{project.get('id')}.{int(created.timestamp())}"


def version(project: ToolProject) -> str:
    """Return what the model is called; it changes with every fit."""
    return f"{AGENT}-{project.version}"


Act = Callable[[Mapping[str, Any]], dict[str, Any]]
"""What a route does with the body of a request."""


def posted(backend: Backend, act: Act) -> Callable[[Request], Awaitable[Response]]:
    """Return a route: one request at a time reaches the projects, in a thread.

    Only JSON is taken, and only under a local name: a page of another site cannot send it.
    """

    def locked(body: Mapping[str, Any]) -> dict[str, Any]:
        with backend.lock:
            return act(body)

    async def route(request: Request) -> Response:
        try:
            body = await _body(request)
            return JSONResponse(await run_in_threadpool(locked, body))
        except LalError as error:
            return JSONResponse({"error": str(error)}, status_code=400)

    return route


async def _body(request: Request) -> Mapping[str, Any]:
    """Return the JSON object that a request carries.

    Raises:
        UsageError: It does not, is too long, or comes under a foreign name.
    """
    host = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host")
    if host not in LOCAL:
        raise UsageError("this backend is for this machine only; use http://localhost")
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise UsageError("expected JSON (Content-Type: application/json)")
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > MAX_BODY:
            raise UsageError(f"expected at most {MAX_BODY} bytes; send fewer tasks at a time")
        pieces.append(piece)
    try:
        value = parse_json(b"".join(pieces))
    except ValueError as error:
        raise DataError(f"expected JSON: {error}") from error
    if not isinstance(value, dict):
        raise DataError("expected a JSON object")
    return value
