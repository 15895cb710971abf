"""Seeded mutations of what judging reads from strangers: judge YAML, replies of servers, batches, stored replies.

Run alone for many seeds: `python tests/support/fuzz_judge.py 3000`. Every input is read, or refused with an error of ours.
"""

from __future__ import annotations

import asyncio
import copy
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from judged_run import build_run, write_judge

from lensbench.errors import LensbenchError
from lensbench.grading.judge import load_judge
from lensbench.grading.judge.batch import BatchClient
from lensbench.grading.judge.cache import ReplyCache, read_replay
from lensbench.grading.judge.client import BudgetExhausted, JudgeClient, Refused, RequestFailed
from lensbench.grading.judge.grade import outcome
from lensbench.grading.judge.gradings import gradings
from lensbench.grading.judge.journal import read_journal
from lensbench.grading.judge.pace import Pace
from lensbench.grading.judge.spend import Budget
from lensbench.grading.judge.tokens import ceiling
from lensbench.records import RunFolder
from lensbench.stages.judge import JudgeRequest, estimate_judging

VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    10**30,
    -(10**30),
    1.5,
    float("nan"),
    float("inf"),
    "",
    " ",
    "x",
    "\x00",
    "\ud800",
    "\u202e",
    "[[5]]",
    "1e999",
    "null",
    "../../x",
    "http://[::1",
    "a" * 5_000,
    [],
    [[]],
    {},
    {"a": 1},
    [1, "2", None],
    {"": {"": {}}},
    "{{ 7 * 7 }}",
)


def mutated(value: Any, rng: random.Random) -> Any:
    """One to three places of a nested value changed: replaced, dropped, doubled, renamed, or wrapped."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 2, 3))):
        value = _one(value, rng)
    return value


def _one(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        kind = rng.random()
        if kind < 0.6:
            return {**value, key: _one(value[key], rng)}
        if kind < 0.75:
            return {k: v for k, v in value.items() if k != key}
        if kind < 0.9:
            return {(f"{k}s" if k == key else k): v for k, v in value.items()}
        return {**value, rng.choice(("extra", "model", "n", "stream", "")): rng.choice(VALUES)}
    if isinstance(value, list) and value and rng.random() < 0.7:
        place = rng.randrange(len(value))
        if rng.random() < 0.3:
            return value[:place] + value[place + 1 :]
        return [*value[:place], _one(value[place], rng), *value[place + 1 :]]
    if rng.random() < 0.1:
        for _ in range(rng.choice((1, 20, 90))):
            value = [value]
        return value
    return rng.choice(VALUES)


FILLERS = (b"\xff\xfe", b"\xef\xbb\xbf", b"[" * 3_000, b"&a [*a]", b"!!x ", b"\x00", b"9" * 5_000)


def garbled(content: bytes, rng: random.Random) -> bytes:
    """Bytes of a text changed: cut, flipped, doubled, or filled."""
    kind, place = rng.random(), rng.randrange(len(content) + 1)
    if kind < 0.3:
        return content[:place]
    if kind < 0.6 and content:
        flipped = bytearray(content)
        flipped[min(place, len(content) - 1)] ^= 1 << rng.randrange(8)
        return bytes(flipped)
    if kind < 0.8:
        return (
            content[:place]
            + rng.choice((b"\xff\xfe", b"\xef\xbb\xbf", b"[" * 3_000, b"&a [*a]", b"!!x ", b"\x00", b"9" * 5_000))
            + content[place:]
        )
    return content[place:] + content[:place]


def judge_files(seed: int, folder: Path) -> str:
    """A judge YAML is read, and what it makes can be used; or it is refused."""
    rng = random.Random(seed)
    path = write_judge(folder / "judge.yaml", reasoning_effort="low", extra_body={"seed": 1}, verdict="one-rating")
    content = yaml.safe_load(path.read_text())
    if rng.random() < 0.5:
        path.write_bytes(garbled(path.read_bytes(), rng))
    else:
        path.write_text(yaml.safe_dump(mutated(content, rng), allow_unicode=False), encoding="utf-8")
    try:
        judge = load_judge(str(path), model="m", base_url="http://127.0.0.1:9/v1" if rng.random() < 0.5 else None)
    except LensbenchError as error:
        return f"refused {type(error).__name__}"
    messages = judge.prompts.messages("turn1", {"questions": ["q"], "answers": ["a"], "references": [], "language": "Chinese"})
    body = judge.body(messages)
    json.dumps(body, allow_nan=False)
    assert judge.signature and judge.request_hash(body, 0, 0)
    return "read"


COMPLETION: dict[str, Any] = {
    "id": "1",
    "object": "chat.completion",
    "created": 0,
    "model": "m",
    "system_fingerprint": "fp",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "Good.\nRating: [[7]]", "refusal": None, "reasoning_content": "Hm."},
        }
    ],
    "usage": {"prompt_tokens": 30, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 3}},
}
ERROR: dict[str, Any] = {"error": {"message": "no", "type": "error", "param": "max_tokens", "code": "bad"}}
BATCH: dict[str, Any] = {
    "id": "batch_1",
    "object": "batch",
    "status": "completed",
    "output_file_id": "file_1",
    "error_file_id": None,
    "request_counts": {"total": 1, "completed": 1, "failed": 0},
    "errors": {"data": [{"message": "no"}]},
}
LINE: dict[str, Any] = {"custom_id": "r", "response": {"status_code": 200, "body": COMPLETION}, "error": None}


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


def changed(value: Any, rng: random.Random) -> bytes:
    content = dumped(mutated(value, rng)) if rng.random() < 0.7 else dumped(value)
    return garbled(content, rng) if rng.random() < 0.4 else content


@contextmanager
def answering(reply: Callable[[str], tuple[int, bytes, dict[str, str]]]) -> Iterator[str]:
    """A server whose every answer a function makes of the path."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None: ...

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, content, headers = reply(self.path)
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None: ...

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()


def server_replies(seeds: range, folder: Path) -> Counter[str]:
    """Replies of a chat server are read, or are failures of one request or of the judge; nothing is billed below its most."""
    found: Counter[str] = Counter()
    current = [random.Random(0)]

    def reply(path: str) -> tuple[int, bytes, dict[str, str]]:
        rng = current[0]
        if rng.random() < 0.7:
            return 200, changed(COMPLETION, rng), {}
        status = rng.choice((201, 204, 301, 307, 308, 400, 401, 404, 408, 409, 418, 422, 429, 500, 503, 504, 599))
        where = rng.choice(("", "http://[::1", "//other.example/x", "/v1/elsewhere", "http://u:p@other.example/?k=secret"))
        headers = {"Location": where} if where else {}
        headers |= {"Retry-After": rng.choice(("0", "-1", "nan", "x", "1e-3"))} if rng.random() < 0.3 else {}
        return status, b"" if status == 204 else changed(ERROR, rng), headers

    with answering(reply) as url:
        judge = load_judge(
            str(write_judge(folder / "asked.yaml", retry__attempts=1, endpoint={"key_needed": False, "timeout_seconds": 5})),
            model="m",
            base_url=url,
        )
        messages = [{"role": "user", "content": "Grade this."}]

        async def ask(seed: int) -> str:
            budget = Budget(judge.file.prices, 1.0)
            client = JudgeClient(judge, budget, Pace(judge.file.limits))
            try:
                found = await client.ask(judge.body(messages), 1, ceiling(messages))
                assert budget.spent_usd > 0
                return outcome(judge, found).state
            except (RequestFailed, Refused, BudgetExhausted) as error:
                return type(error).__name__
            except LensbenchError as error:
                assert "secret" not in str(error)
                return f"told {type(error).__name__}"
            finally:
                await client.close()

        for seed in seeds:
            current[0] = random.Random(seed)
            found[asyncio.run(ask(seed))] += 1
    return found


def batch_replies(seeds: range, folder: Path) -> Counter[str]:
    """A batch server that answers anything brings replies and failures, or an error of ours."""
    found: Counter[str] = Counter()
    current = [random.Random(0)]

    def reply(path: str) -> tuple[int, bytes, dict[str, str]]:
        rng = current[0]
        if path.endswith("/content"):
            return 200, b"\n".join(changed(LINE, rng) for _ in range(3)), {}
        return 200, changed(BATCH, rng) if rng.random() < 0.6 else dumped(BATCH), {}

    run = RunFolder(folder / "batched")
    run.path.mkdir()
    with answering(reply) as url:
        judge = load_judge(
            str(write_judge(folder / "batch.yaml", endpoint={"key_needed": False}, retry__first_wait_seconds=0.0)),
            model="m",
            base_url=url,
        )
        for seed in seeds:
            current[0] = random.Random(seed)
            client = BatchClient(judge, run, poll_seconds=0.001)
            try:
                # A state that never ends is one the server may have; the test looks ten times.
                looks = iter(range(10))

                def look(done: int, total: int, looks: Iterator[int] = looks) -> None:
                    if next(looks, None) is None:
                        raise TimeoutError

                batch = client.submit({"r": judge.body([{"role": "user", "content": "Grade this."}])})
                result = client.wait(batch, look)
                found["read" if result.replies else "failures"] += 1
            except LensbenchError as error:
                found[f"told {type(error).__name__}"] += 1
            except TimeoutError:
                found["waiting"] += 1
    return found


def stored_files(seed: int, folder: Path) -> str:
    """Cache entries, replays, journals, and the files of a run that judging reads again."""
    rng = random.Random(seed)
    reply = {"text": "Rating: [[7]]", "model": "m", "fingerprint": None, "usage": None, "finish": "stop"}
    cache = ReplyCache(folder / "cache")
    entry = folder / "cache" / "ab" / "abcd.json"
    entry.parent.mkdir(parents=True, exist_ok=True)
    entry.write_bytes(changed({"request": "abcd", "reply": reply}, rng))
    known = cache.get("abcd")
    assert known is None or isinstance(known.text, str)
    journal = folder / "journal.jsonl"
    lines = ({"start": True}, {"sent": "a", "usd": 0.1}, {"came": "a", "usd": 0.1, "content": COMPLETION})
    journal.write_bytes(b"\n".join(changed(line, rng) for line in lines) + b"\n")
    read_journal(journal)
    verdicts = folder / "verdicts.jsonl"
    verdicts.write_bytes(changed({"request": "a", "reply": reply}, rng) + b"\n")
    try:
        read_replay(verdicts)
        return "read"
    except LensbenchError as error:
        return f"refused {type(error).__name__}"


def fuzz(n: int, first: int = 0) -> dict[str, Counter[str]]:
    """`n` inputs of each kind, from the seed `first` on; raises at the first that is neither read nor refused."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = {
            "judge files": Counter(judge_files(seed, folder) for seed in range(first, first + n)),
            "stored files": Counter(stored_files(seed, folder) for seed in range(first, first + n)),
            "server replies": server_replies(range(first, first + n), folder),
            "batch replies": batch_replies(range(first, first + max(1, n // 4)), folder),
        }
        run = build_run(folder / "run", items=1)
        judge = load_judge(
            str(write_judge(folder / "last.yaml", endpoint={"key_needed": False})), model="m", base_url="http://h/v1"
        )
        assert list(gradings(run, judge, tasks=["mt_bench"], repeats=1))
        assert estimate_judging(run, JudgeRequest(judge, use_cache=False)).requests > 0
    return found


if __name__ == "__main__":
    started = time.monotonic()
    for kind, states in fuzz(int(sys.argv[1]) if len(sys.argv) > 1 else 300).items():
        print(f"{kind}: {dict(states)}")
    print(f"{time.monotonic() - started:.0f} s")
