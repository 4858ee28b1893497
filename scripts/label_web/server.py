"""The web page's server: this machine only, a random token, and no request from elsewhere."""

import json
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lal.errors import LalError
from lal.labelling.session import Session, reason

MAX_BODY = 10_000
"""Bytes a request may carry."""

PAGE = Path(__file__).with_name("page.html")

ACTIONS = {"/label": "label", "/skip": "skip", "/undo": "undo"}

JSON = "application/json; charset=utf-8"


class LabelServer(ThreadingHTTPServer):
    """Serves one session on the loopback interface.

    Threads keep idle connections of the browser from blocking others; a lock lets one request at a
    time at the campaign.

    Args:
        session: What is labelled.
        port: Port, any free one when 0.
    """

    daemon_threads = True

    def __init__(self, session: Session, *, port: int = 0) -> None:
        self.session = session
        self.token = secrets.token_urlsafe(32)
        self.csrf = secrets.token_urlsafe(32)
        self.lock = Lock()
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def hosts(self) -> tuple[str, str]:
        """The names under which this server answers; others mean a rebound name."""
        return f"127.0.0.1:{self.server_port}", f"localhost:{self.server_port}"

    @property
    def cookie(self) -> str:
        """Name of the cookie; cookies are shared between ports, so it has the port in it."""
        return f"lal_label_{self.server_port}"

    @property
    def address(self) -> str:
        """The address to open, token included."""
        return f"http://{self.hosts[0]}/?token={self.token}"

    def state(self, message: str = "") -> dict[str, Any]:
        """Return what the page shows."""
        session, campaign = self.session, self.session.campaign
        session.look()
        progress, row = campaign.progress(), session.next()
        card = None
        if row is not None:
            card = {
                "row": row.row,
                "name": row.name,
                "cells": list(row.cells.items()),
                "why": reason(row),
            }
        return {
            "card": card,
            "classes": list(campaign.classes),
            "progress": str(progress),
            "done": progress.n_labelled + len(progress.skipped),
            "n_rows": progress.n_rows,
            "can_undo": progress.n_answers > 0,
            "skipped": list(progress.skipped),
            "news": list(session.news),
            "message": message,
        }


class RefusedError(Exception):
    """A request that is not answered; the status and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Handler(BaseHTTPRequestHandler):
    """Answers the page and its four routes; there are no files to be reached."""

    server: LabelServer
    timeout = 30
    server_version = "lal"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with the page or its state."""
        try:
            self._check_host()
            url = urlsplit(self.path)
            token = parse_qs(url.query).get("token")
            if url.path == "/" and token:
                self._enter(token[0])
                return
            self._check_cookie()
            if url.path == "/":
                self._send_page()
            elif url.path == "/state":
                with self.server.lock:
                    state = self.server.state()
                self._send_json(200, state)
            else:
                raise RefusedError(404, "there is no such page")
        except RefusedError as refused:
            self._send_json(refused.status, {"error": str(refused)})

    def do_POST(self) -> None:
        """Take an answer and reply with the next row."""
        try:
            self._check_host()
            self._check_cookie()
            self._check_sender()
            do = ACTIONS.get(urlsplit(self.path).path)
            if do is None:
                raise RefusedError(404, "there is no such action")
            self._send_json(*self._act(do, self._body()))
        except RefusedError as refused:
            self._send_json(refused.status, {"error": str(refused)})

    def _act(self, do: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        row, label = body.get("row"), body.get("label")
        if (do != "undo" and type(row) is not int) or (do == "label" and type(label) is not str):
            raise RefusedError(400, "expected a row number and, for labels, a class")
        with self.server.lock:
            try:
                message = self.server.session.act(do, row, label)
            except LalError as error:
                return 409, {**self.server.state(), "error": str(error)}
            return 200, self.server.state(message)

    def _check_host(self) -> None:
        if self.headers.get("Host") not in self.server.hosts:
            raise RefusedError(403, "this page is for this machine only")

    def _enter(self, token: str) -> None:
        """Change the token of the address for a cookie, so that it leaves the address bar."""
        if not secrets.compare_digest(token.encode(), self.server.token.encode()):
            raise RefusedError(403, "wrong token; open the address that the command printed")
        cookie = f"{self.server.cookie}={token}; HttpOnly; SameSite=Strict; Path=/"
        self._send(303, "", b"", {"Location": "/", "Set-Cookie": cookie})

    def _check_cookie(self) -> None:
        try:
            morsel = SimpleCookie(self.headers.get("Cookie", "")).get(self.server.cookie)
        except CookieError:
            morsel = None
        held = "" if morsel is None else morsel.value
        if not secrets.compare_digest(held.encode(), self.server.token.encode()):
            raise RefusedError(403, "no token; open the address that the command printed")

    def _check_sender(self) -> None:
        """Refuse what another site's page could send with this machine's cookie."""
        if self.headers.get("Origin") != f"http://{self.headers.get('Host')}":
            raise RefusedError(403, "the request comes from another page")
        held = self.headers.get("X-CSRF-Token", "")
        if not secrets.compare_digest(held.encode(), self.server.csrf.encode()):
            raise RefusedError(403, "the page is from an earlier start; load it again")
        if self.headers.get_content_type() != "application/json":
            raise RefusedError(415, "expected JSON")

    def _body(self) -> Mapping[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            raise RefusedError(411, "expected Content-Length")
        if len(length) > 9 or int(length) > MAX_BODY:
            raise RefusedError(413, f"expected at most {MAX_BODY} bytes")
        try:
            value = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            raise RefusedError(400, "expected JSON") from None
        if not isinstance(value, dict):
            raise RefusedError(400, "expected a JSON object")
        return value

    def _send_page(self) -> None:
        nonce = secrets.token_urlsafe(16)
        page = PAGE.read_text(encoding="utf-8")
        page = page.replace("__NONCE__", nonce).replace("__CSRF__", self.server.csrf)
        policy = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
            "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
        headers = {"Content-Security-Policy": policy}
        self._send(200, "text/html; charset=utf-8", page.encode(), headers)

    def _send_json(self, status: int, value: Mapping[str, Any]) -> None:
        self._send(status, JSON, json.dumps(value).encode(), {})

    def _send(self, status: int, kind: str, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        always = {
            "Content-Length": str(len(content)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }
        kinds = {"Content-Type": kind} if kind else {}
        for name, value in {**kinds, **always, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the terminal quiet; addresses with tokens are not logged."""
