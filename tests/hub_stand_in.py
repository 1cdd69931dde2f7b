"""A stand-in for the Hugging Face hub: the few addresses that an upload asks for, on this machine."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

TOKEN = "hf_of_the_test"


@dataclass
class Hub:
    """What lies on the hub, and how it answers."""

    address: str = ""
    repos: dict[str, bool] = field(default_factory=dict)
    """Whether each repository is private."""
    branches: set[str] = field(default_factory=set)
    blobs: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    """Contents of the files that were committed, by REPO/BRANCH/NAME."""
    refusals: dict[str, int] = field(default_factory=dict)
    """Status with which a request is refused whose path holds this word."""
    asked: list[str] = field(default_factory=list)


@contextmanager
def hub_stand_in() -> Iterator[Hub]:
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.address = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield hub
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, format: str, *values: Any) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        self._answer_request(b"")

    def do_POST(self) -> None:
        self._answer_request(self._body())

    do_PUT = do_POST

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answer_request(self, body: bytes) -> None:
        hub, path = self.hub, self.path.partition("?")[0]
        hub.asked.append(f"{self.command} {path}")
        refused = next((status for word, status in hub.refusals.items() if word in path), None)
        if refused is None and path.startswith("/api/repos") and self.headers["Authorization"] != f"Bearer {TOKEN}":
            refused = 401
        if refused is not None:
            return self._send(refused, {"error": "no"})
        if path.startswith("/blobs/"):
            hub.blobs[path.removeprefix("/blobs/")] = body
            return self._send(200, {})
        return self._send(*self._look_up(path, body))

    def _look_up(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        hub = self.hub
        if path == "/api/repos/create":
            asked = json.loads(body)
            repo = f"{asked['organization'] or 'me'}/{asked['name']}"
            status = 409 if repo in hub.repos else 200
            hub.repos.setdefault(repo, asked.get("visibility") == "private")
            return status, {"url": f"{hub.address}/{repo}"}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        if path.endswith("/info/lfs/objects/batch"):
            return 200, {"transfer": "basic", "objects": [self._place(each) for each in json.loads(body)["objects"]]}
        if not path.startswith("/api/models/"):
            return 404, {"error": "no such address"}
        owner, name, *rest = path.removeprefix("/api/models/").split("/")
        repo = f"{owner}/{name}"
        match rest:
            case [] if repo in hub.repos:
                return 200, {"id": repo, "private": hub.repos[repo], "siblings": [], "tags": []}
            case ["branch", branch]:
                hub.branches.add(branch)
                return 200, {}
            case ["preupload", _]:
                return 200, {"files": [self._mode(each["path"]) for each in json.loads(body)["files"]]}
            case ["commit", branch]:
                self._commit(f"{repo}/{branch}", body)
                return 200, {"commitUrl": f"{hub.address}/{repo}/commit/1", "commitOid": "1"}
        return 404, {"error": "no such address"}

    def _place(self, blob: dict[str, Any]) -> dict[str, Any]:
        return {**blob, "actions": {"upload": {"href": f"{self.hub.address}/blobs/{blob['oid']}"}}}

    @staticmethod
    def _mode(name: str) -> dict[str, Any]:
        mode = "lfs" if name.endswith(".safetensors") else "regular"
        return {"path": name, "uploadMode": mode, "shouldIgnore": False}

    def _commit(self, place: str, body: bytes) -> None:
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                self.hub.files[f"{place}/{value['path']}"] = base64.b64decode(value["content"])
            if line["key"] == "lfsFile":
                self.hub.files[f"{place}/{value['path']}"] = self.hub.blobs[value["oid"]]

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
