"""A stand-in for the Hugging Face hub on a port of this machine, as huggingface_hub 2.4 and datasets 5.2 ask it.

API (info, revision, tree, paths-info, parquet listing), `resolve` with HEAD and GET, large files behind a redirect to a path of
their own, ranges, renames (307), gates, tokens, and faults on demand. Every request and every byte sent is counted.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

PARQUET = "refs/convert/parquet"
LARGE = 4096
"""Files from so many bytes on are kept apart, as with git-lfs: `resolve` redirects to them."""


def commit_of(*parts: str) -> str:
    return hashlib.sha1("\0".join(parts).encode()).hexdigest()


@dataclass
class Repository:
    """One repository: branches, each a folder of files at one commit."""

    id: str
    kind: str
    branches: dict[str, dict[str, bytes]]
    gated: bool = False
    allowed: tuple[str, ...] = ()
    """Tokens that may read a gated one."""
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for branch in self.branches:
            self.commits[self.commit(branch)] = self.branches[branch]

    def commit(self, branch: str) -> str:
        listing = "".join(f"{path}:{hashlib.sha1(data).hexdigest()}\n" for path, data in sorted(self.branches[branch].items()))
        return commit_of(self.kind, self.id, branch, listing)

    def resolve(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        if revision in self.branches:
            return self.commit(revision), self.branches[revision]
        return (revision, self.commits[revision]) if revision in self.commits else None


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    token: str
    nth: int
    """How often this method and path came before."""


Fault = Callable[[Asked], str | None]
"""A request -> "429", "429-after", "500", "502", "503", "504", "403", "reset", "cut", "slow", "html", or None."""


class HubServer:
    """Use as a context manager; `url` is what HF_ENDPOINT is to be.

    Args:
        repositories: By `id`; kinds "model" and "dataset".
        renamed: Old id -> the one it answers 307 with.
        tokens: Those that are valid; others get 401 "Invalid credentials", as expired ones do.
    """

    def __init__(
        self,
        repositories: Sequence[Repository] = (),
        *,
        renamed: Mapping[str, str] = {},
        tokens: tuple[str, ...] = (),
        fault: Fault = lambda asked: None,
    ) -> None:
        self.repositories = {(r.kind, r.id): r for r in repositories}
        self.renamed, self.tokens, self.fault = dict(renamed), tokens, fault
        self.asked: list[Asked] = []
        self.bytes_sent = 0
        self.redirects_followed = 0
        self.lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128
            hub = self

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Connections that are cut are what these tests are about."""

        self._http = Server(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()

    def add(self, repository: Repository) -> None:
        self.repositories[repository.kind, repository.id] = repository

    def receive(self, method: str, path: str, token: str) -> Asked:
        with self.lock:
            asked = Asked(method, path, token, self._counts[method, path])
            self._counts[method, path] += 1
            self.asked.append(asked)
        return asked

    def fetched(self) -> list[str]:
        """Paths of files whose content was asked for."""
        return [asked.path for asked in self.asked if asked.method == "GET" and "/api/" not in asked.path]

    def large(self, digest: str) -> bytes | None:
        for repository in self.repositories.values():
            for files in repository.commits.values():
                for data in files.values():
                    if len(data) >= LARGE and hashlib.sha256(data).hexdigest() == digest:
                        return data
        return None


def _folder(path: str) -> dict[str, Any]:
    return {"type": "directory", "path": path, "size": 0, "oid": commit_of(path)}


def _paths(body: bytes) -> list[str]:
    """The paths of a paths-info request, which comes as a form or as JSON."""
    if body.lstrip()[:1] == b"{":
        return list(json.loads(body).get("paths", []))
    return parse_qs(body.decode()).get("paths", [])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, format: str, *args: Any) -> None: ...

    def do_HEAD(self) -> None:
        self._answer(None)

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def _answer(self, body: bytes | None) -> None:
        hub: HubServer = self.server.hub
        parts = urlsplit(self.path)
        path, query = unquote(parts.path), parse_qs(parts.query)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        fault = hub.fault(hub.receive(self.command, path, token))
        self._cut = fault == "cut"
        if fault == "reset":
            self._hang_up()
        elif fault == "slow":
            # Not time.sleep, which tests of waiting replace.
            threading.Event().wait(3)
            self._hang_up()
        elif fault == "html":
            self._send(
                200, b"<!doctype html><html><body>Please log in to the network</body></html>", {"Content-Type": "text/html"}
            )
        elif fault and fault[:3].isdigit():
            extra = {"Retry-After": "0"} if fault.endswith("-after") else {}
            self._send(int(fault[:3]), b'{"error":"as the test wants"}', {"Content-Type": "application/json", **extra})
        elif path.startswith("/large/"):
            data = hub.large(path.removeprefix("/large/"))
            self._send(404, b"") if data is None else self._ranged(data, {})
        elif token and hub.tokens and token not in hub.tokens:
            self._refuse(401, message="Invalid credentials in Authorization header")
        elif path.startswith("/api/"):
            self._api(hub, path, query, token, body)
        else:
            self._resolve(hub, path, token)

    def _find(self, hub: HubServer, kind: str, name: str, token: str, *, files: bool) -> Repository | None:
        """The repository, or None when the answer was sent: a rename, a gate, or nothing of this name."""
        if name in hub.renamed and (kind, name) not in hub.repositories:
            target = self.path.replace(name, hub.renamed[name], 1)
            self._send(307, b"", {"Location": target})
            return None
        found = hub.repositories.get((kind, name))
        if found is None:
            # The hub does not say whether a repository exists to those who may not see it.
            self._refuse(404 if token else 401, "RepoNotFound", "Repository not found")
            return None
        if found.gated and files and token not in found.allowed:
            self._refuse(403 if token else 401, "GatedRepo", f"Access to {kind} {name} is restricted")
            return None
        return found

    def _api(self, hub: HubServer, path: str, query: dict[str, list[str]], token: str, body: bytes | None) -> None:
        match = re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)(?:/(revision|tree|paths-info|parquet)(?:/(.+))?)?", path)
        if match is None:
            self._send(404, b'{"error":"no such page"}')
            return
        kind = match[1].removesuffix("s")
        found = self._find(hub, kind, match[2], token, files=match[3] in ("tree", "paths-info"))
        if found is None:
            return
        what, rest = match[3], match[4] or "main"
        if what == "parquet":
            self._parquet_listing(found)
            return
        revision, _, inner = (rest, "", "") if what == "revision" else self._split(found, rest)
        at = found.resolve(revision)
        if at is None:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            return
        commit, files = at
        if what == "tree":
            self._tree(files, inner, recursive=query.get("recursive", ["false"])[0].lower() in ("true", "1"))
        elif what == "paths-info":
            wanted = _paths(body or b"")
            folders = {p for p in wanted if any(path.startswith(f"{p}/") for path in files)}
            self._json([self._entry(p, files[p]) for p in wanted if p in files] + [_folder(p) for p in sorted(folders)])
        else:
            info: dict[str, Any] = {
                "_id": "0" * 24,
                "id": found.id,
                "sha": commit,
                "private": False,
                "gated": "manual" if found.gated else False,
                "disabled": False,
                "downloads": 1,
                "likes": 0,
                "tags": [],
                "lastModified": "2026-01-01T00:00:00.000Z",
                "siblings": [{"rfilename": p} for p in sorted(files)],
            }
            self._json(info)

    def _tree(self, files: dict[str, bytes], inner: str, *, recursive: bool) -> None:
        prefix = f"{inner}/" if inner else ""
        below = sorted(path for path in files if path.startswith(prefix))
        if inner and not below:
            self._refuse(404, "EntryNotFound", "Entry not found")
            return
        folders = {"/".join(path.split("/")[:n]) for path in below for n in range(1, path.count("/") + 1)}
        folders = {path for path in folders if path.startswith(prefix) and (recursive or "/" not in path[len(prefix) :])}
        shown = [path for path in below if recursive or "/" not in path[len(prefix) :]]
        self._json([*map(_folder, sorted(folders)), *(self._entry(path, files[path]) for path in shown)])

    def _split(self, found: Repository, rest: str) -> tuple[str, str, str]:
        """Revision and path within it: a branch's name may hold slashes, when it comes quoted."""
        for branch in (*found.branches, *found.commits):
            if rest == branch or rest.startswith(f"{branch}/"):
                return branch, "", rest[len(branch) + 1 :]
        first, _, inner = rest.partition("/")
        return first, "", inner

    def _parquet_listing(self, found: Repository) -> None:
        listing: dict[str, dict[str, list[str]]] = {}
        for path in sorted(found.branches.get(PARQUET, {})):
            config, split, _ = path.split("/")
            url = f"{self.server.hub.url}/api/datasets/{found.id}/parquet/{config}/{split}/0.parquet"
            listing.setdefault(config, {}).setdefault(split, []).append(url)
        self._json(listing)

    def _resolve(self, hub: HubServer, path: str, token: str) -> None:
        match = re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/(?:resolve|raw)/(.+)", path)
        if match is None:
            self._send(404, b"no such page")
            return
        found = self._find(hub, "dataset" if match[1] else "model", match[2], token, files=True)
        if found is None:
            return
        revision, _, inner = self._split(found, match[3])
        at = found.resolve(revision)
        if at is None:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            return
        commit, files = at
        if inner not in files:
            self._refuse(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": commit})
            return
        data = files[inner]
        if len(data) < LARGE:
            self._ranged(data, {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha1(data).hexdigest()}"'})
            return
        digest = hashlib.sha256(data).hexdigest()
        # Another host than the hub's, as its storage is; huggingface_hub follows redirects on the same one by itself.
        storage = hub.url.replace("127.0.0.1", "localhost")
        self._send(
            302,
            b"",
            {
                "Location": f"{storage}/large/{digest}",
                "X-Repo-Commit": commit,
                "X-Linked-Size": str(len(data)),
                "X-Linked-Etag": f'"{digest}"',
            },
        )

    def _entry(self, path: str, data: bytes) -> dict[str, Any]:
        entry = {"type": "file", "path": path, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
        if len(data) >= LARGE:
            entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
        return entry

    def _ranged(self, data: bytes, headers: dict[str, str]) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked is None:
            self._send(200, data, {**headers, "Accept-Ranges": "bytes"})
            return
        start, end = int(asked[1]), min(int(asked[2] or len(data) - 1), len(data) - 1)
        if start >= len(data):
            self._send(416, b"", {"Content-Range": f"bytes */{len(data)}"})
            return
        self._send(206, data[start : end + 1], {**headers, "Content-Range": f"bytes {start}-{end}/{len(data)}"})

    def _refuse(self, status: int, code: str | None = None, message: str = "", extra: Mapping[str, str] = {}) -> None:
        headers = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {}), **extra}
        self._send(status, json.dumps({"error": message}).encode(), {"Content-Type": "application/json", **headers})

    def _json(self, content: Any) -> None:
        self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, content: bytes, headers: Mapping[str, str] = {}) -> None:
        head = {"Content-Length": str(len(content)), **headers}
        text = f"HTTP/1.1 {status} x\r\n" + "".join(f"{k}: {v}\r\n" for k, v in head.items()) + "\r\n"
        sent = b"" if self.command == "HEAD" else content[: len(content) // 2] if self._cut else content
        with self.server.hub.lock:
            self.server.hub.bytes_sent += len(sent)
        self.connection.sendall(text.encode() + sent)
        if self._cut:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
