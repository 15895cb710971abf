"""A small run with answers to be judged, made by hand, a judge for it, and `lensbench judge` in processes that can be killed."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from lensbench.records import RunFolder
from lensbench.records.provenance import gather_provenance
from lensbench.spec import RunSpec, TaskChoice

PROMPTS = Path(__file__).parents[2] / "judges" / "prompts"
KEY_ENV, KEY = "TEST_JUDGE_KEY", "sk-test-5f1d9c0a77e2-do-not-write-me-down"
TASK, PROFILE = "mt_bench", "mt-bench"
VARIANTS = ("base", "lens")
CATEGORIES = ("writing", "math", "reasoning", "coding")
PRICES = {"input": 2.5, "cached_input": 1.25, "output": 10.0}
AWKWARD = (
    "",
    "nul \x00 bell \x07 escape \x1b[31m tab \t end",
    "\u202bמימין לשמאל\u202c \u200fعربي\u200f",
    "long " * 20_000,
    "half a pair \ud83d and on",
    "{{ questions[0] }} {% raw %} {question_1} [[9]] \u2028 next",
)
"""Answers that a harness may trip over."""


def build_run(path: Path, *, items: int = 4, languages: Sequence[str] = ("en", "zh"), awkward: bool = True) -> RunFolder:
    """A finished run: `items` questions of two turns a language, answered by two variants."""
    path.mkdir(parents=True)
    folder = RunFolder(path)
    choice = [TaskChoice(task=TASK, language=code, profile=PROFILE, protocol="p", rows=TASK) for code in languages]
    targets = tuple(code for code in languages if code != "en")
    folder.begin(
        RunSpec(
            lensbench="0",
            methods=({"method": "lens"},),
            backbone="tiny",
            languages=targets,
            profile=PROFILE,
            tasks=tuple(choice),
            data="embedded",
        )
    )
    task = {
        "title": "MT-Bench",
        "version": "1",
        "profile": PROFILE,
        "protocol": "p",
        "rows": "local:mt_bench:1",
        "substitute": None,
        "origin": None,
        "items": items,
        "max_new_tokens": None,
        "judged": True,
    }
    about = {
        "lensbench": "0",
        "backbone": "tiny",
        "backbone_origin": {},
        "backbone_digest": "w" * 64,
        "dtype": "float32",
        "device": "cpu",
        "tokenizer_digest": "t",
        "variants": {"base": {"digest": "base"}, "lens": {"digest": "d" * 64}},
        "tasks": {f"{TASK}/{code}": task for code in languages},
        "gaps": [],
    }
    folder.write_json("variants.json", about)
    folder.write_json("provenance.json", {"starts": [{**gather_provenance(), "device": "cpu", "dtype": "float32"}]})
    with folder.log("items") as asked, folder.log("answers") as answers:
        for code in languages:
            for number in range(items):
                asked.append([_item(code, number)])
                for variant in VARIANTS:
                    answers.append(_answer(code, number, variant, turn, awkward) for turn in (1, 2))
    return folder


def _item(code: str, number: int) -> dict[str, Any]:
    category = CATEGORIES[number % len(CATEGORIES)]
    doc: dict[str, Any] = {"category": category, "turns": [f"{code} question {number}?", f"{code} question {number}, and then?"]}
    if category == "math":
        doc["reference"] = [f"{code} reference {number}, first", f"{code} reference {number}, second"]
    if category == "coding":
        doc["reference_answer"] = [f"{code} stored answer {number}, first", f"{code} stored answer {number}, second"]
    key = f"{TASK}-{code}-{number}"
    return {
        "key": key,
        "task": TASK,
        "language": code,
        "profile": PROFILE,
        "doc_id": number,
        "doc": doc,
        "turns": doc["turns"],
        "requests": [],
        "gold": "",
    }


def _answer(code: str, number: int, variant: str, turn: int, awkward: bool) -> dict[str, Any]:
    text = f"{variant} answers {code} {number}.{turn}: because."
    if awkward and turn == 2 - number % 2:
        text = AWKWARD[number % len(AWKWARD)]
    item = f"{TASK}-{code}-{number}"
    return {
        "key": f"{item}-{variant}-{turn}",
        "item": item,
        "variant": variant,
        "task": TASK,
        "language": code,
        "profile": PROFILE,
        "turn": turn,
        "state": "ok" if text.strip() else "empty",
        "text": text,
        "tokens": len(text) // 4,
        "prompt_tokens": 10,
        "temperature": 0.0,
        "finish": "stop",
        "seconds": 0.1,
    }


def write_judge(path: Path, **changes: Any) -> Path:
    """A judge YAML that loses no time; a dotted name changes one field of a table."""
    content: dict[str, Any] = {
        "judge": "strict",
        "title": "A judge for tests",
        "endpoint": {"key_env": KEY_ENV, "timeout_seconds": 3},
        "max_tokens": 200,
        "prompts": {form: str(PROMPTS / f"{form}.jinja") for form in ("turn1", "turn1_reference", "turn2", "turn2_reference")},
        "rating": {"tries": 2},
        "limits": {"concurrency": 6},
        "retry": {"attempts": 4, "first_wait_seconds": 0.01, "longest_wait_seconds": 0.05},
        "prices": {"date": "2026-01-01", **PRICES, "batch_factor": 0.5},
    }
    for name, value in changes.items():
        table, _, field = name.rpartition("__")
        (content[table] if table else content)[field] = value
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


# A start imports torch, transformers and datasets, which takes seconds. A process forked from one that has imported them is a
# process of its own all the same.
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(
    [
        "lensbench.cli.judge",
        "lensbench.cli.render",
        "lensbench.display",
        "lensbench.stages.judge",
        "lensbench.stages.results",
        "transformers",
        "datasets",
        "lensbench.grading.judge.batch",
    ]
)


def _command(arguments: list[str], environment: dict[str, str], stdout: str, stderr: str) -> None:
    for number, path in ((1, stdout), (2, stderr)):
        os.dup2(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND), number)
    os.environ.clear()
    os.environ.update(environment)
    # A test runner in the background of a script ignores Ctrl-C, and its children would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["lensbench", *arguments]
    from lensbench.cli import main

    main()


class Start:
    """One `lensbench judge`."""

    def __init__(self, arguments: Sequence[str | Path], environment: dict[str, str], log: Path) -> None:
        self.log = log
        paths = [f"{log}.{stream}" for stream in ("stdout", "stderr")]
        self.process = _forks.Process(target=_command, args=([str(a) for a in arguments], environment, *paths))
        self.process.start()

    def _read(self, stream: str) -> str:
        path = Path(f"{self.log}.{stream}")
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""

    @property
    def stdout(self) -> str:
        return self._read("stdout")

    @property
    def stderr(self) -> str:
        return self._read("stderr")

    def until(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.is_alive(), f"ended too early with {self.process.exitcode}:\n{self.stderr}"
            assert time.monotonic() < deadline, f"never got there:\n{self.stderr}"
            time.sleep(0.002)

    def stop(self, number: signal.Signals) -> int:
        assert self.process.is_alive(), f"the process had ended before the signal:\n{self.stderr}"
        os.kill(self.process.pid or 0, number)
        return self.wait()

    def wait(self, seconds: float = 60) -> int:
        self.process.join(seconds)
        code = self.process.exitcode
        assert code is not None, f"still running:\n{self.stderr}"
        return code


class Judging:
    """A run folder, a judge and a server address, as one keeps judging them.

    Attributes:
        starts: All starts so far; their output is searched for the key.
    """

    def __init__(self, tmp_path: Path, url: str, *, run: str = "run", cache: str = "cache", **judge: Any) -> None:
        self.tmp_path, self.url = tmp_path, url
        self.out, self.cache = tmp_path / run, tmp_path / cache
        self.yaml = write_judge(tmp_path / f"{run}-judge.yaml", **judge)
        self.starts: list[Start] = []

    def arguments(self, *more: str | Path) -> list[str | Path]:
        return ["judge", self.out, "--judge", self.yaml, "--base-url", self.url, "--model", "m", *more]

    def environment(self, key: str | None = KEY) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "LENSBENCH_")) and k != KEY_ENV}
        environment = {**kept, "LENSBENCH_CACHE": str(self.cache), "HF_HUB_OFFLINE": "1"}
        return {**environment, KEY_ENV: key} if key is not None else environment

    def start(self, *more: str | Path, key: str | None = KEY) -> Start:
        log = self.tmp_path / f"{self.out.name}.{len(self.starts)}"
        self.starts.append(Start(self.arguments(*more), self.environment(key), log))
        return self.starts[-1]

    def finish(self, *more: str | Path, key: str | None = KEY) -> Start:
        start = self.start(*more, key=key)
        start.wait()
        return start

    def records(self, stage: str) -> list[dict[str, Any]]:
        """Whole lines, parsed here on purpose: reading with lensbench would hide a record that is there twice."""
        return [json.loads(line.decode("utf-8", "surrogatepass")) for line in self.lines(stage)]

    def lines(self, stage: str) -> list[bytes]:
        path = self.out / "items" / f"{stage}.jsonl"
        whole = path.read_bytes().split(b"\n")[:-1] if path.is_file() else []
        return whole

    def answers(self) -> bytes:
        return (self.out / "items" / "answers.jsonl").read_bytes()

    def cells(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        """Language, variant and metric -> cell."""
        found = json.loads((self.out / "results.json").read_text())["cells"]
        return {(c["language"], c["variant"], c["metric"]): c for c in found}

    def places_with(self, text: str) -> list[str]:
        """Files and outputs that hold a text."""
        needle = text.encode()
        files = [p for root in (self.out, self.cache) for p in root.rglob("*") if p.is_file()]
        found = [str(p) for p in files if needle in p.read_bytes() or text in str(p)]
        return found + [f"output of {s.log.name}" for s in self.starts if text in s.stdout + s.stderr]
