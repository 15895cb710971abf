"""A translated question set: every text once, marked as machine-translated, whole or not at all."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

EN = [
    {"question_id": 81, "category": "writing", "turns": ["Write a poem.", "Now shorter."]},
    {"question_id": 111, "category": "math", "turns": ["What is 2+2?", "Now shorter."], "reference": ["4", ""]},
]


class _Translator(BaseHTTPRequestHandler):
    """Answers with the text between the rules, in capitals; `broken` texts come back empty."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[str]] = []
    broken: ClassVar[set[str]] = set()

    def log_message(self, *_: Any) -> None: ...

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = body["messages"][-1]["content"].split("----------")[1].strip()
        self.seen.append(text)
        reply = "" if text in self.broken else f"<think>Let me see.</think>----------\n{text.upper()}\n----------"
        content = json.dumps(
            {
                "id": "1",
                "object": "chat.completion",
                "model": body["model"],
                "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": reply}}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 5},
            }
        ).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def server() -> Iterator[str]:
    _Translator.seen, _Translator.broken = [], set()
    listening = ThreadingHTTPServer(("127.0.0.1", 0), _Translator)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listening.server_address[1]}/v1"
    listening.shutdown()


def test_a_set_for_a_language_without_one(cli: Callable[..., Any], server: str, tmp_path: Path, tiny_model_dir: Path) -> None:
    data = tmp_path / "data"
    (data / "mt_bench" / "en").mkdir(parents=True)
    (data / "mt_bench" / "en" / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in EN))
    command = (
        "data",
        "translate",
        "-l",
        "sw",
        "--judge",
        "local",
        "--model",
        "m",
        "--base-url",
        server,
        "--data",
        data,
        "--to",
        data,
    )
    environment = {"LENSBENCH_CACHE": str(tmp_path / "cache")}
    _Translator.broken = {"What is 2+2?"}
    failed = cli(*command, env=environment)
    assert failed.returncode == 1 and "not translated" in failed.stderr and "'What is 2+2?' is empty" in failed.stderr
    assert not (data / "mt_bench" / "sw").exists()
    _Translator.broken = set()
    done = cli(*command, env=environment)
    assert done.returncode == 0, done.stderr
    # Each distinct text was translated once, over both starts; only what failed was asked again.
    assert sorted(set(_Translator.seen)) == ["4", "Now shorter.", "What is 2+2?", "Write a poem."]
    assert len(_Translator.seen) == 5
    assert cli(*command, env=environment).returncode == 2, "a set that is there is not made anew"
    run = cli(
        "run",
        "-b",
        tiny_model_dir,
        "-l",
        "sw",
        "-t",
        "mt_bench",
        "--data",
        data,
        "--max-new-tokens",
        "2",
        "--identifier",
        "lid176",
        "--out",
        tmp_path / "run",
    )
    assert run.returncode == 0, run.stderr
    assert "machine-translated from English by m" in run.stdout and "not checked by anyone" in run.stdout
    items = [json.loads(line) for line in (tmp_path / "run" / "items" / "items.jsonl").read_text().splitlines()]
    swahili = [item["doc"] for item in items if item["language"] == "sw"]
    assert [row["turns"] for row in swahili] == [["WRITE A POEM.", "NOW SHORTER."], ["WHAT IS 2+2?", "NOW SHORTER."]]
    assert [row["question_id"] for row in swahili] == [81, 111] and swahili[1]["reference"] == ["4", ""]
