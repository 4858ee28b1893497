"""Policies on the hub, against a local stand-in for it that keeps files in memory."""

import base64
import hashlib
import importlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import numpy as np
import pytest

import lal
from lal.errors import PolicyFileError, UsageError
from lal.policies.hub import FILE

pytest.importorskip("huggingface_hub")

COMMIT = "c" * 40


class StandIn(BaseHTTPRequestHandler):
    """Answers what `create_repo`, `upload_folder` and `hf_hub_download` ask."""

    repositories: ClassVar[dict[str, dict[str, bytes]]] = {}
    commits: ClassVar[list[str]] = []

    def log_message(self, *args):
        pass

    def answer(self, body=b"", status=200, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def reply(self, **values):
        self.answer(json.dumps(values).encode(), Content_Type="application/json")

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def do_POST(self):
        content, path = self.body(), self.path.split("?")[0]
        if path == "/api/repos/create":
            asked = json.loads(content)
            name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else ""
            self.repositories.setdefault(name or f"someone/{asked['name']}", {})
            self.reply(url=f"http://{self.headers['Host']}/{name}", name=name)
        elif path == "/api/validate-yaml":
            self.reply(errors=[], warnings=[])
        elif "/preupload/" in path:
            files = json.loads(content)["files"]
            modes = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False}
                     for f in files]  # fmt: skip
            self.reply(files=modes)
        elif "/commit/" in path:
            name = "/".join(path.split("/")[3:5])
            for text in content.decode().splitlines():
                line = json.loads(text)
                if line["key"] == "header":
                    self.commits.append(line["value"]["summary"])
                if line["key"] == "file":
                    value = line["value"]
                    self.repositories[name][value["path"]] = base64.b64decode(value["content"])
            self.reply(
                commitUrl=f"https://huggingface.co/{name}/commit/{COMMIT}",
                commitOid=COMMIT,
                success=True,
            )
        else:
            self.answer(b"{}", 404)

    def do_GET(self):
        parts = self.path.split("?")[0].strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            self.reply(id="/".join(parts[2:4]), sha=COMMIT, siblings=[])
            return
        files = self.repositories.get("/".join(parts[:2]))
        if files is None:
            self.answer(b"", 404, X_Error_Code="RepoNotFound")
        elif parts[-1] not in files:
            self.answer(b"", 404, X_Error_Code="EntryNotFound", X_Repo_Commit=COMMIT)
        else:
            body = files[parts[-1]]
            etag = hashlib.sha1(body).hexdigest()
            self.answer(body, ETag=f'"{etag}"', X_Repo_Commit=COMMIT)

    do_HEAD = do_GET


@pytest.fixture
def repositories(monkeypatch, tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    StandIn.repositories, StandIn.commits = {}, []
    constants = importlib.import_module("huggingface_hub.constants")
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_test")
    yield StandIn.repositories
    server.shutdown()
    server.server_close()


def test_what_is_pushed_is_loaded(repositories):
    policy = lal.load_policy("default")
    address = policy.push("hf://someone/margin-and-more")
    assert address.endswith("/someone/margin-and-more")
    stored = repositories["someone/margin-and-more"]
    assert set(stored) == {FILE, "README.md"}
    assert StandIn.commits == [f"Policy {policy.name}"]
    assert b"Do not use when" in stored["README.md"]
    again = lal.load_policy("hf://someone/margin-and-more")
    assert again.name == policy.name
    for name, tensor in policy.tensors.items():
        np.testing.assert_array_equal(again.tensors[name], tensor)


def test_policies_of_other_kinds_are_pushed(repositories):
    policy = lal.load_policy(sorted(lal.list_policies("stream"))[0])
    policy.push("hf://someone/stream")
    assert lal.load_policy("hf://someone/stream@main").kind == "stream"


def test_a_repository_that_is_not_there_and_one_without_a_policy(repositories):
    with pytest.raises(PolicyFileError, match="cannot load hf://nobody/nothing"):
        lal.load_policy("hf://nobody/nothing")
    repositories["someone/else"] = {"model.bin": b"no policy"}
    with pytest.raises(PolicyFileError, match=f"hf://someone/else holds no {FILE}"):
        lal.load_policy("hf://someone/else")


@pytest.mark.parametrize("address", ["hf://", "hf://name", "hf://a/b/c", "hf:///b"])
def test_addresses_of_another_form_are_refused(address):
    with pytest.raises(UsageError, match="expected an address like hf://owner/name"):
        lal.load_policy(address)
