"""An OpenAI-compatible server that fails as it is told: chat completions, files and batches, on a port of this machine.

It runs in a thread of the test. Every request is logged, with whether its reply was sent to the last byte and what it billed.
"""

from __future__ import annotations

import contextlib
import email
import email.policy
import hashlib
import json
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

TRANSIENT = ("429-after", "429", "500", "slow", "cut-before", "cut-within", "malformed", "html")
"""Another attempt may succeed; the server did not send a whole reply."""
ODD = ("no-usage", "eleven", "chinese-digits", "no-rating", "empty", "refusal")
"""Whole replies, paid for, each strange in its way."""
UNREADABLE = ("eleven", "chinese-digits", "no-rating", "empty", "refusal")
REFUSED = "400"
FATAL = ("401", "404", "quota")
GENERATED_ALL_THE_SAME = (
    "slow",
    "cut-before",
    "cut-within",
    "malformed",
    "408",
    "502",
    "503",
    "504",
    "drip",
    "endless",
    "nested",
)
"""A provider bills what its model wrote, also when the reply is lost on its way."""

_ERRORS: dict[str, tuple[int, str, str]] = {
    "429-after": (429, "rate_limit_exceeded", "Rate limit reached"),
    "429": (429, "rate_limit_exceeded", "Rate limit reached"),
    "500": (500, "server_error", "The server had an error"),
    "400": (400, "context_length_exceeded", "This model's maximum context length is 8192 tokens"),
    "401": (401, "invalid_api_key", "Incorrect API key provided"),
    "404": (404, "model_not_found", "The model does not exist"),
    "408": (408, "timeout", "Request timeout"),
    "502": (502, "bad_gateway", "Bad gateway"),
    "503": (503, "overloaded", "Overloaded"),
    "504": (504, "gateway_timeout", "The model did not answer the gateway in time"),
    "old-tokens": (
        400,
        "unsupported_parameter",
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
    ),
    "no-temperature": (
        400,
        "unsupported_value",
        "Unsupported value: 'temperature' does not support 0 with this model. Only the default is.",
    ),
    "quota": (429, "insufficient_quota", "You exceeded your current quota"),
}


@dataclass
class Asked:
    """One request for a chat completion."""

    body: dict[str, Any]
    digest: str
    """Of the body; two tries of one grading have the same."""
    order: int
    """How many other bodies came before this one came first."""
    nth: int
    """How often this body came before."""
    key: str
    path: str = ""
    fault: str = "ok"
    serial: str = ""
    """In the reply's `system_fingerprint`, so that it can be found again in a verdict."""
    usage: dict[str, Any] | None = None
    billed: bool = False
    completed: bool = False
    """A chat completion was sent to the last byte."""


@dataclass
class Batch:
    id: str
    input_file: str
    lines: list[dict[str, Any]]
    done: bool = False
    output_file: str | None = None
    error_file: str | None = None
    looks: int = 0


Script = Callable[[Asked], str]


def in_order(faults: Iterable[tuple[str, ...]]) -> Script:
    """The first distinct body meets the first entry's faults, one a request; the next body the next entry's; then all is well."""
    plan = list(faults)

    def script(asked: Asked) -> str:
        mine = plan[asked.order] if asked.order < len(plan) else ()
        return mine[asked.nth] if asked.nth < len(mine) else "ok"

    return script


class JudgeServer:
    """Use as a context manager.

    Args:
        script: Request -> fault, or "ok".
        batch_fails: Line of a batch -> whether it ends in the error file.
    """

    def __init__(self, script: Script = lambda asked: "ok", *, batch_fails: Callable[[int], bool] = lambda line: False) -> None:
        self.script, self._batch_fails = script, batch_fails
        self.asked: list[Asked] = []
        self.others: list[tuple[str, str]] = []
        self.files: dict[str, str] = {}
        self.batches: list[Batch] = []
        self.batch_replies: list[Asked] = []
        self.echo_key = False
        self.elsewhere = ""
        self.headers: list[dict[str, str]] = []
        self.replies: dict[str, str] = {}
        self._orders: dict[str, int] = {}
        self._arrivals: Counter[str] = Counter()
        self._serials = 0
        self.lock = threading.RLock()
        self._frozen = False
        self._freeze_at: int | None = None
        self.held = 0
        self.closing = False

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128
            judge = self

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A killed client is what these tests are about."""

        self._http = Server(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.closing = True
        self._http.shutdown()
        self._http.server_close()

    def freeze(self) -> None:
        """Send no more chat completions; replies already begun are whole when this returns."""
        with self.lock:
            self._frozen = True

    def freeze_after(self, completed: int) -> None:
        """Freeze in the moment the so-many-th whole reply was sent: a small judging would be over before a test looks."""
        with self.lock:
            self._freeze_at = completed

    def thaw(self) -> None:
        with self.lock:
            self._frozen, self._freeze_at = False, None

    def count_completed(self) -> None:
        if self._freeze_at is not None and len(self.completed) >= self._freeze_at:
            self._frozen = True

    @property
    def frozen(self) -> bool:
        return self._frozen

    @property
    def completed(self) -> list[Asked]:
        with self.lock:
            return [one for one in self.asked if one.completed]

    @property
    def faults(self) -> Counter[str]:
        with self.lock:
            return Counter(one.fault for one in self.asked)

    def billed_usd(self, *, input: float, output: float, cached_input: float, since: int = 0) -> float:
        """What the provider would bill, from its own counts and prices per million tokens."""
        usd = 0.0
        with self.lock:
            for one in self.asked[since:]:
                if one.billed and one.usage:
                    cached = one.usage["prompt_tokens_details"]["cached_tokens"]
                    fresh = one.usage["prompt_tokens"] - cached
                    usd += (fresh * input + cached * cached_input + one.usage["completion_tokens"] * output) / 1e6
        return usd

    def receive(self, body: dict[str, Any], key: str) -> Asked:
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        with self.lock:
            order = self._orders.setdefault(digest, len(self._orders))
            asked = Asked(body, digest, order, self._arrivals[digest], key)
            self._arrivals[digest] += 1
            self.asked.append(asked)
            asked.fault = self.script(asked)
        return asked

    def unanswered(self, asked: Asked) -> None:
        """Who asked is gone; its fault is kept for the next time the body comes."""
        with self.lock:
            asked.fault = "unanswered"
            self._arrivals[asked.digest] -= 1

    def completion(self, asked: Asked) -> dict[str, Any]:
        """The reply; `usage` counts one token a byte, the most a byte-level vocabulary can need."""
        text = {
            "eleven": "Splendid.\n\nRating: [[11]]",
            "chinese-digits": "很好。评分：[[八]]",
            "no-rating": "I would rather not say.",
            "empty": "",
            "refusal": None,
            **self.replies,
        }.get(asked.fault, f"Clear enough.\u2028 结论如下。\n\nRating: [[{rating(asked.digest)}]]")
        with self.lock:
            self._serials += 1
            asked.serial = f"fp_{self._serials}"
        prompt = sum(len(m["content"].encode()) + len(m["role"]) for m in asked.body["messages"])
        prompt += 4 * len(asked.body["messages"]) + 3
        asked.usage = {
            "prompt_tokens": prompt,
            "completion_tokens": min(asked.body.get("max_tokens", 10**6), len((text or "").encode())),
            "prompt_tokens_details": {"cached_tokens": prompt // 2 if asked.order % 3 == 0 else 0},
        }
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if asked.fault == "refusal":
            message["refusal"] = "I cannot help with that."
        content: dict[str, Any] = {
            "id": f"chatcmpl-{asked.serial}",
            "object": "chat.completion",
            "created": 0,
            "model": "judge-as-served",
            "system_fingerprint": asked.serial,
            "usage": asked.usage,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        }
        if asked.fault == "no-usage":
            del content["usage"]
        odd: dict[str, dict[str, Any]] = {
            "zero-usage": {"prompt_tokens": 0, "completion_tokens": 0},
            "negative-usage": {"prompt_tokens": -5, "completion_tokens": 3},
            "tiny-usage": {"prompt_tokens": 1, "completion_tokens": 0},
            "absurd-usage": {"prompt_tokens": 10**15, "completion_tokens": 10**15},
        }
        content["usage"] = odd.get(asked.fault, content.get("usage"))
        if asked.fault.endswith("-cut"):
            content["choices"][0]["finish_reason"] = "length"
        if asked.fault == "other-model":
            content["model"] = "another-model"
        if asked.fault == "parts":
            message["content"] = [{"type": "thinking", "thinking": "Hm, [[2]]."}, {"type": "text", "text": text}]
        if asked.fault == "reasoning-beside":
            message |= {"content": None, "reasoning_content": "Let me see. [[7]]"}
        return content

    def submit(self, input_file: str) -> Batch:
        lines = [json.loads(line) for line in self.files[input_file].split("\n") if line]
        batch = Batch(f"batch_{len(self.batches)}", input_file, lines)
        with self.lock:
            self.batches.append(batch)
        return batch

    def finish_batch(self, batch: Batch) -> None:
        """Let a batch end: every line is answered, or stands in the error file."""
        good, bad = [], []
        for number, line in enumerate(batch.lines):
            entry: dict[str, Any] = {"id": f"line-{number}", "custom_id": line["custom_id"], "error": None}
            if self._batch_fails(number):
                failed = {
                    "status_code": 500,
                    "request_id": "r",
                    "body": {"error": {"message": "could not", "code": "server_error"}},
                }
                bad.append({**entry, "response": failed if number % 2 else None, "error": {"code": "batch_expired"}})
                continue
            digest = hashlib.sha256(json.dumps(line["body"], sort_keys=True).encode()).hexdigest()
            asked = Asked(line["body"], digest, number, 0, "", completed=True, billed=True)
            content = self.completion(asked)
            self.batch_replies.append(asked)
            good.append({**entry, "response": {"status_code": 200, "request_id": "r", "body": content}})
        # The order of a batch's lines is not that of its requests.
        for name, entries in (("output_file", good[::-1]), ("error_file", bad)):
            if entries:
                setattr(batch, name, f"{batch.id}-{name}")
                self.files[f"{batch.id}-{name}"] = "".join(json.dumps(e, ensure_ascii=False) + "\n" for e in entries)
        batch.done = True


def rating(digest: str) -> int:
    return 1 + int(digest[:4], 16) % 10


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, format: str, *args: Any) -> None: ...

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def do_POST(self) -> None:
        judge: JudgeServer = self.server.judge
        raw = self._body()
        if self.path.partition("?")[0].endswith("/chat/completions") and self.path.startswith(("/v1/", "/openai/")):
            judge.headers.append({name.lower(): value for name, value in self.headers.items()})
            self._chat(judge, json.loads(raw))
        elif self.path == "/v1/files":
            head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
            parts = list(email.message_from_bytes(head + raw, policy=email.policy.HTTP).iter_parts())
            (file,) = [part for part in parts if part.get_filename()]
            name = f"file_{len(judge.files)}"
            judge.files[name] = file.get_payload(decode=True).decode()
            judge.others.append(("POST", self.path))
            self._json(
                {
                    "id": name,
                    "object": "file",
                    "bytes": len(raw),
                    "created_at": 0,
                    "filename": "requests.jsonl",
                    "purpose": "batch",
                    "status": "processed",
                }
            )
        elif self.path == "/v1/batches":
            judge.others.append(("POST", self.path))
            self._json(_batch(judge.submit(json.loads(raw)["input_file_id"])))
        else:
            self._error("404", judge)

    def do_GET(self) -> None:
        judge: JudgeServer = self.server.judge
        judge.others.append(("GET", self.path))
        parts = self.path.split("/")
        if self.path.startswith("/v1/batches/"):
            (batch,) = [b for b in judge.batches if b.id == parts[3]]
            batch.looks += 1
            self._json(_batch(batch))
        elif self.path.startswith("/v1/files/") and parts[-1] == "content":
            self._send(200, judge.files[parts[3]].encode(), "application/octet-stream")
        else:
            self._error("404", judge)

    def _chat(self, judge: JudgeServer, body: dict[str, Any]) -> None:
        asked = judge.receive(body, self.headers.get("Authorization", "").removeprefix("Bearer "))
        asked.path = self.path
        fault = asked.fault
        if fault in GENERATED_ALL_THE_SAME:
            judge.completion(asked)
            asked.billed = True
        if fault in _ERRORS:
            self._error(fault, judge, asked)
            return
        if fault == "html":
            self._send(200, b"<!doctype html><html><body>Welcome to the gateway</body></html>", "text/html", asked=asked)
            return
        if fault in ("redirect", "redirect-here"):
            where = judge.elsewhere if fault == "redirect" else f"{judge.url}/again/chat/completions?secret=1"
            self._send(307, b"", "text/plain", {"Location": where}, asked=asked)
            return
        if fault == "drip":
            self._drip(0.05)
            return
        if fault == "endless":
            self._endless()
            return
        if fault in ("nested", "list", "number"):
            depth = 5_000
            body_of = {"nested": b'{"a":' * depth + b"1" + b"}" * depth, "list": b"[]", "number": b"7"}
            self._send(200, body_of[fault], "application/json", asked=asked)
            return
        content = json.dumps(judge.completion(asked), ensure_ascii=False).encode()
        if fault == "slow":
            self._wait_for_hang_up(20)
        elif fault == "cut-before":
            self._hang_up()
        elif fault == "cut-within":
            self._send(200, content, "application/json", cut=True, asked=asked)
        elif fault == "malformed":
            self._send(200, content[:-40], "application/json", asked=asked)
        else:
            self._send(200, content, "application/json", asked=asked, completes=True)

    def _drip(self, seconds: float) -> None:
        """A byte every so often, without end."""
        self.connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
        while not self._gone(seconds) and not self.server.judge.closing:
            self.connection.sendall(b" ")
        self.close_connection = True

    def _endless(self) -> None:
        self.connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
        with contextlib.suppress(OSError):
            while not self.server.judge.closing:
                self.connection.sendall(b" " * 65536)
        self.close_connection = True

    def _error(self, fault: str, judge: JudgeServer, asked: Asked | None = None) -> None:
        status, code, message = _ERRORS[fault]
        if judge.echo_key:
            message += f": {self.headers.get('Authorization', '').removeprefix('Bearer ')}"
        content = {"error": {"message": message, "type": "error", "param": None, "code": code}}
        extra = {"Retry-After": "0.3"} if fault == "429-after" else {}
        self._send(status, json.dumps(content).encode(), "application/json", extra, asked=asked)

    def _json(self, content: dict[str, Any]) -> None:
        self._send(200, json.dumps(content).encode(), "application/json")

    def _send(
        self,
        status: int,
        content: bytes,
        kind: str,
        extra: dict[str, str] | None = None,
        *,
        cut: bool = False,
        asked: Asked | None = None,
        completes: bool = False,
    ) -> None:
        headers = {"Content-Type": kind, "Content-Length": str(len(content)), **(extra or {})}
        head = f"HTTP/1.1 {status} x\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n"
        if not self._may_send(asked is not None):
            if asked is not None:
                self.server.judge.unanswered(asked)
            return
        judge: JudgeServer = self.server.judge
        try:
            if completes and asked is not None:
                asked.billed = True
            self.connection.sendall(head.encode() + content[: len(content) // 2 if cut else None])
            if completes and asked is not None:
                asked.completed = True
                judge.count_completed()
        finally:
            judge.lock.release()
        if cut:
            self._hang_up()

    def _may_send(self, can_freeze: bool) -> bool:
        """Wait while the server is frozen; True leaves the lock held, so that nothing is sent after `freeze` returned."""
        judge: JudgeServer = self.server.judge
        counted = False
        while True:
            judge.lock.acquire()
            gone = self._gone(0) or judge.closing
            if gone or not judge.frozen or not can_freeze:
                judge.held -= counted
                if gone:
                    judge.lock.release()
                    self.close_connection = True
                return not gone
            judge.held += not counted
            counted = True
            judge.lock.release()
            time.sleep(0.005)

    def _gone(self, seconds: float) -> bool:
        try:
            ready, _, _ = select.select([self.connection], [], [], seconds)
            return bool(ready) and self.connection.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

    def _wait_for_hang_up(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._gone(0.05) and time.monotonic() < deadline and not self.server.judge.closing:
            pass
        self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _batch(batch: Batch) -> dict[str, Any]:
    ended = {"output_file_id": batch.output_file, "error_file_id": batch.error_file} if batch.done else {}
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "input_file_id": batch.input_file,
        "completion_window": "24h",
        "created_at": 0,
        "status": "completed" if batch.done else "in_progress",
        "request_counts": {"total": len(batch.lines), "completed": len(batch.lines) if batch.done else 0, "failed": 0},
        **ended,
    }
