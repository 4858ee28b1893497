"""The web page's server: this machine only, a random token, and no request from elsewhere."""

import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from lal.errors import LalError, UsageError
from lal.labelling.content import PICTURES
from lal.labelling.session import WITH_CLASS, LabellingSession, reason
from lal.serialization import parse_json

MAX_BODY = 10_000
"""Bytes a request may carry."""

PAGE = Path(__file__).with_name("page.html")

ACTIONS = ("label", "skip", "unsure", "change", "settle", "undo")

EARLIER = 10
"""Last answers that the page offers to change."""

DISPUTED = 20
"""Rows with answers that differ that the page offers to settle."""

ALWAYS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""Headers of every response."""

Answer = Callable[[Request], Awaitable[Response]]


class LabelServer:
    """Serves one session on the loopback interface.

    A lock lets one request at a time at the project; requests wait for it in threads, so that idle
    or slow clients hold up nobody.

    Args:
        session: What is labelled.
        port: Port, any free one when 0.

    Raises:
        UsageError: The port is in use.
    """

    def __init__(self, session: LabellingSession, *, port: int = 0) -> None:
        self.session = session
        self.token = secrets.token_urlsafe(32)
        self.csrf = secrets.token_urlsafe(32)
        self.lock = Lock()
        self._socket = _listen(port)
        config = uvicorn.Config(
            self.application(),
            http="h11",
            loop="asyncio",
            lifespan="off",
            ws="none",
            proxy_headers=False,
            access_log=False,
            log_level="error",
            server_header=False,
            timeout_graceful_shutdown=3,
        )
        self._server = uvicorn.Server(config)

    @property
    def server_address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._socket.getsockname()
        return host, port

    @property
    def hosts(self) -> tuple[str, str]:
        """The names under which this server answers; others mean a rebound name."""
        port = self.server_address[1]
        return f"127.0.0.1:{port}", f"localhost:{port}"

    @property
    def cookie(self) -> str:
        """Name of the cookie; cookies are shared between ports, so it has the port in it."""
        return f"lal_label_{self.server_address[1]}"

    @property
    def address(self) -> str:
        """The address to open, token included."""
        return f"http://{self.hosts[0]}/?token={self.token}"

    def serve_forever(self) -> None:
        """Answer requests until `shutdown`, Ctrl-C or SIGTERM."""
        self._server.run(sockets=[self._socket])

    def shutdown(self) -> None:
        """End `serve_forever`; may be called from another thread."""
        self._server.should_exit = True

    def __enter__(self) -> "LabelServer":
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the socket."""
        self._socket.close()

    def application(self) -> Starlette:
        """Return the page and its routes; there are no files to be reached."""
        routes = [
            Route("/", guarded(self, self.send_page)),
            Route("/picture/{row:int}", guarded(self, self.send_picture)),
            Route("/state", guarded(self, self.send_state)),
            *(Route(f"/{do}", guarded(self, self.take_answer), methods=["POST"]) for do in ACTIONS),
            Route("/{rest:path}", guarded(self, no_such_page), methods=["GET", "POST"]),
        ]
        return Starlette(routes=routes, exception_handlers={HTTPException: say_refusal})

    async def send_page(self, request: Request) -> Response:
        """Answer with the page; the token of the address becomes a cookie and leaves the bar."""
        token = request.query_params.get("token")
        if token is not None:
            _check_equal(token, self.token, "wrong token; open the address that was printed")
            cookie = f"{self.cookie}={token}; HttpOnly; SameSite=Strict; Path=/"
            return RedirectResponse("/", status_code=303, headers={"Set-Cookie": cookie})
        nonce = secrets.token_urlsafe(16)
        page = PAGE.read_text(encoding="utf-8")
        policy = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
            "img-src data: 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
        return HTMLResponse(
            page.replace("__NONCE__", nonce).replace("__CSRF__", self.csrf),
            headers={"Content-Security-Policy": policy},
        )

    async def send_state(self, request: Request) -> Response:
        """Answer with what the page shows."""
        return JSONResponse(await run_in_threadpool(self.locked_state))

    async def send_picture(self, request: Request) -> Response:
        """Answer with the image of a row; only pictures in the folder of images are sent."""
        row = request.path_params["row"]
        path = self.session.project.picture(row)
        if path is None:
            raise HTTPException(404, "there is no such picture")
        return FileResponse(path, media_type=PICTURES[path.suffix.lower()])

    async def take_answer(self, request: Request) -> Response:
        """Take an answer and reply with the next row."""
        do = request.url.path.strip("/")
        body = await _body(request)
        row, label, note = body.get("row"), body.get("label"), body.get("note")
        if type(row) is not int or (do in WITH_CLASS and type(label) is not str):
            raise HTTPException(400, "expected a row number and, for labels, a class")
        if not (note is None or type(note) is str):
            raise HTTPException(400, "expected a text as the note")
        status, state = await run_in_threadpool(self.act, do, row, label, note)
        return JSONResponse(state, status_code=status)

    def act(
        self, do: str, row: int, label: str | None, note: str | None
    ) -> tuple[int, dict[str, Any]]:
        """Return the status and the state after an answer, or after its refusal."""
        with self.lock:
            try:
                message = self.session.act(do, row, label, note=note)
            except LalError as error:
                return 409, {**self.state(), "error": str(error)}
            return 200, self.state(message)

    def locked_state(self) -> dict[str, Any]:
        """Return what the page shows."""
        with self.lock:
            return self.state()

    def state(self, message: str = "") -> dict[str, Any]:
        """Return what the page shows; the lock must be held."""
        session, project = self.session, self.session.project
        session.look()
        progress, row, last = project.progress(), session.next(), project.store.last
        card = None
        if row is not None:
            card = {
                "row": row.row,
                "name": row.name,
                "cells": list(row.cells.items()),
                "why": reason(row),
                "picture": None if project.picture(row.row) is None else f"/picture/{row.row}",
            }
        return {
            "card": card,
            "classes": list(project.classes),
            "progress": str(progress),
            "done": progress.n_labelled + len(progress.skipped),
            "n_rows": progress.n_rows,
            "undo": None if last is None else last.row,
            "skipped": list(progress.skipped),
            "unsure": list(progress.unsure),
            "annotator": project.store.annotator,
            "agreement": session.second_opinions(),
            "disputed": self.disputed(),
            "answers": [
                (row, project.store.name(row), label)
                for row, label in project.store.last_answers(EARLIER)
            ],
            "news": list(session.news),
            "message": message,
        }

    def disputed(self) -> list[tuple[int, str, str]]:
        """Return rows to settle: position, what the page says, and the class that stands."""
        open_rows = [found for found in self.session.project.disagreements() if not found.settled]
        return [(found.row, str(found), found.label) for found in open_rows[:DISPUTED]]

    def check(self, request: Request) -> None:
        """Refuse what does not come from this machine's own page.

        Raises:
            HTTPException: Another host name, no token, or a request that another site's page
                could send with this machine's cookie.
        """
        if request.headers.get("host") not in self.hosts:
            raise HTTPException(403, "this page is for this machine only")
        if (
            request.url.path == "/"
            and request.method == "GET"
            and request.query_params.get("token")
        ):
            return  # the page checks it
        held = _cookie(request.headers.get("cookie", ""), self.cookie)
        _check_equal(held, self.token, "no token; open the address that the command printed")
        if request.method != "POST":
            return
        if request.headers.get("origin") != f"http://{request.headers.get('host')}":
            raise HTTPException(403, "the request comes from another page")
        sent = request.headers.get("x-csrf-token", "")
        _check_equal(sent, self.csrf, "the page is from an earlier start; load it again")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise HTTPException(415, "expected JSON")


def guarded(server: LabelServer, answer: Answer) -> Answer:
    """Return a route's function behind the server's checks, with the headers of every response."""

    async def checked(request: Request) -> Response:
        try:
            server.check(request)
            response = await answer(request)
        except LalError as error:
            raise HTTPException(409, str(error)) from error
        except ClientDisconnect:
            response = Response(status_code=400)  # nobody reads it
        response.headers.update(ALWAYS)
        return response

    return checked


async def no_such_page(request: Request) -> Response:
    """Answer any other path."""
    raise HTTPException(404, "there is no such page")


async def say_refusal(request: Request, refused: Exception) -> Response:
    """Answer a refusal with its sentence."""
    status, sentence = 500, str(refused)
    if isinstance(refused, HTTPException):
        status, sentence = refused.status_code, refused.detail
    return JSONResponse({"error": sentence}, status_code=status, headers=ALWAYS)


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise UsageError(
            f"port {port} of this machine cannot be used ({error.strerror}); give another, or "
            "leave out --port for any free one"
        ) from error
    return listening


def _check_equal(sent: str, kept: str, sentence: str) -> None:
    if not secrets.compare_digest(sent.encode(), kept.encode()):
        raise HTTPException(403, sentence)


def _cookie(header: str, name: str) -> str:
    try:
        morsel = SimpleCookie(header).get(name)
    except CookieError:
        morsel = None
    return "" if morsel is None else morsel.value


async def _body(request: Request) -> Mapping[str, Any]:
    length = request.headers.get("content-length", "")
    if not (length.isascii() and length.isdecimal()):
        raise HTTPException(411, "expected Content-Length")
    if len(length) > 9 or int(length) > MAX_BODY:
        raise HTTPException(413, f"expected at most {MAX_BODY} bytes")
    try:
        value = parse_json(await request.body())
    except ValueError:
        raise HTTPException(400, "expected JSON") from None
    if not isinstance(value, dict):
        raise HTTPException(400, "expected a JSON object")
    return value
