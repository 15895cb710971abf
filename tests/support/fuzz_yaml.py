"""Hostile task, profile, rows and language YAML and JSON lines, from a seed; `python tests/support/fuzz_yaml.py 3000` tries many.

Each input is read through the doors a user has: lint of the task file, a registry of its folder, the language table. What
may come out is a `LensbenchError`; nothing else, no file outside the folder, no code executed, nothing that takes long.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hostile_tasks import ATTACKS, COSTLY, ROWS, TASK

SECONDS = 8.0
"""Of the processor, for one input; the sandbox gives a template five."""
WALL_SECONDS = 60.0
"""After that an input hangs; a busy machine takes its time."""
PROFILE = "profile: own\ntitle: Own\nabout: x\nchat: false\nscoring: loglikelihood\n"
LANGUAGE = "hu: {name: Hungarian, native: Magyar, script: Latn, iso3: hun}\n"

_VALUES = (
    "null",
    "~",
    "''",
    "' '",
    "x",
    "0",
    "-1",
    "1e400",
    ".nan",
    ".inf",
    "9" * 4300,
    "0x_",
    "010",
    "yes",
    "[]",
    "{}",
    "[[]]",
    "[null]",
    "{a: {b: {c: d}}}",
    "!function mine.ask",
    "!!python/object/apply:os.system ['touch MARK']",
    "!!timestamp 'x'",
    "2026-02-30",
    "!!binary '='",
    "!!int 'x'",
    "!!set {x}",
    "&a [*a]",
    "&a {k: *a}",
    "*b",
    "../../../MARK",
    "/etc/passwd",
    "..",
    "a/b",
    "a\\b",
    '"\\x00"',
    '"\\u202e"',
    '"\\ud800"',
    "x" * 5000,
    "[" * 200,
    "{a: " * 200,
    '"{{ q }}"',
    '"{{ q"',
    '"{% for %}"',
    '"{q}"',
    "[q, a]",
    "{q: a}",
    "3.5",
    "true",
    "[1, 2]",
    "['{{ a }}']",
    "'mine.ask'",
    "[{}]",
    "[[1]]",
    "[{metric: ./folder, hf_evaluate: true}]",
    "[{metric: folder}]",
    "[{name: x, filter: [{function: folder}]}]",
    "[{name: x}]",
    "toy.yaml",
    "[toy.yaml, toy.yaml]",
    "{process_docs: mine.docs}",
    "{data_files: {test: /etc/passwd}}",
    "folder",
    "folder/folder.py",
    "generator",
    "test",
    "zh",
    "sw",
    "{sw: null}",
    "{sw: 3}",
    "{xx: {}}",
    "{no: {}}",
    "{sw: {upstream: ../../../../etc/passwd}}",
    "{sw: {vars: 3}}",
    "lens-paper",
    "open",
)
_KEYS = (
    "task",
    "profile",
    "title",
    "rows",
    "turns",
    "vars",
    "languages",
    "output_type",
    "training_split",
    "validation_split",
    "test_split",
    "fewshot_split",
    "fewshot_config",
    "num_fewshot",
    "doc_to_text",
    "doc_to_choice",
    "doc_to_target",
    "process_docs",
    "process_results",
    "description",
    "target_delimiter",
    "fewshot_delimiter",
    "gen_prefix",
    "metric_list",
    "generation_kwargs",
    "filter_list",
    "repeats",
    "should_decontaminate",
    "doc_to_decontamination_query",
    "dataset_path",
    "dataset_name",
    "dataset_kwargs",
    "metadata",
    "include",
    "group",
    "tag",
    "task_alias",
    "custom_dataset",
    "unsafe_code",
    "doc_to_image",
    "use_prompt",
    "class",
    "<<",
)
_TEMPLATES = ("doc_to_text", "doc_to_choice", "doc_to_target", "description", "gen_prefix")
_ROW_VALUES: tuple[Any, ...] = (
    None,
    "",
    " ",
    0,
    -1,
    1,
    2,
    10**30,
    1.5,
    True,
    [],
    {},
    [None],
    ["x"],
    {"a": 1},
    "x" * 3000,
    "{{ a }}",
    "\ud800",
    "\x00",
    "\u202e",
    "{% raw %}",
    float("nan"),
    [[[]]],
    "1",
    "a\nb",
)
_LINES = (
    b"",
    b"\n",
    b"null\n",
    b"[]\n",
    b"3\n",
    b"{\n",
    b'{"q": 1',
    b"\xff\xfe\n",
    b"\xef\xbb\xbf\n",
    b"[" * 5000 + b"\n",
    b'{"q": ' + b"9" * 5000 + b"}\n",
    b'{"q": NaN}\n',
    b'{"a": "\\ud800"}\n',
    b"\x00\n",
    b'{"q": "x", "q": "y"}\n',
)


@dataclass(frozen=True)
class Hostile:
    """Files by name, in a folder of their own."""

    seed: int
    files: dict[str, bytes]


def hostile(seed: int) -> Hostile:
    """The input of a seed."""
    chance = random.Random(seed)
    rows = [{"q": f"Wapi {i}?", "a": f"Hapa {i}", "b": f"Kule {i}", "label": i % 2} for i in range(4)]
    files: dict[str, str] = {
        "toy.yaml": TASK,
        "rows/toy.yaml": ROWS,
        "profiles/own.yaml": PROFILE,
        "languages.yaml": LANGUAGE,
        "good.yaml": TASK.replace("task: toy", "task: good"),
    }
    kind = chance.choice(("task", "task", "template", "template", "rows", "profile", "languages", "bytes", "jsonl", "jsonl"))
    named = {"task": "toy.yaml", "rows": "rows/toy.yaml", "profile": "profiles/own.yaml", "languages": "languages.yaml"}
    if kind == "template":
        key, template = chance.choice(_TEMPLATES), chance.choice((*ATTACKS, *COSTLY)).replace("%s", "MARK")
        files["toy.yaml"] = _with(TASK, key, json.dumps(template))
    elif kind in named:
        for _ in range(chance.randint(1, 3)):
            files[named[kind]] = _changed(files[named[kind]], chance, own=kind == "task")
        if kind == "profile":
            files["toy.yaml"] = TASK.replace("profile: lm-eval", "profile: own")
        if kind == "languages":
            files["toy.yaml"] = TASK.replace("languages: {sw: {}}", "languages: {hu: {}, sw: {}}")
    elif kind == "jsonl":
        for _ in range(chance.randint(1, 3)):
            row = chance.choice(rows)
            name = chance.choice((*row, "hint", "more"))
            row[name] = chance.choice(_ROW_VALUES)
            if chance.random() < 0.2:
                row.pop(chance.choice([*row]), None)
    content = {name: text.encode("utf-8", "surrogatepass") for name, text in files.items()}
    lines = [json.dumps(row).encode() + b"\n" for row in rows]
    if kind == "jsonl" and chance.random() < 0.4:
        lines.insert(chance.randrange(5), chance.choice(_LINES))
    if kind == "bytes":
        name = chance.choice([*content])
        content[name] = _damaged(content[name], chance)
    return Hostile(seed, {**content, "data/toy/sw/test.jsonl": b"".join(lines)})


def _with(text: str, key: str, value: str) -> str:
    kept = "".join(line + "\n" for line in text.splitlines() if not line.startswith(f"{key}:"))
    return f"{kept}{key}: {value}\n"


def _changed(text: str, chance: random.Random, *, own: bool) -> str:
    present = [line.partition(":")[0] for line in text.splitlines() if line[:1].isalpha()]
    key = chance.choice(present if chance.random() < 0.6 or not own else _KEYS)
    if chance.random() < 0.15:
        return text + f"{key}: {chance.choice(_VALUES)}\n"
    return _with(text, key, chance.choice(_VALUES))


def _damaged(content: bytes, chance: random.Random) -> bytes:
    found = bytearray(content)
    for _ in range(chance.randint(1, 12)):
        found[chance.randrange(len(found))] = chance.choice(b"\x00\x1b\xff\n\t:{}[]&*!|>%@`\"'#,- ?x")
    return bytes(found[: chance.randrange(1, len(found))] if chance.random() < 0.3 else found)


class TooLongError(Exception):
    """An input took longer than it may."""


def attempt(given: Hostile, home: Path) -> str | None:
    """Put one input through the doors; what went wrong in words, or None.

    Args:
        home: An empty folder. The files lie in `home/x`, so that what is written beside it is seen.
    """
    import lm_eval.tasks  # noqa: F401  (what it takes to import it is not the input's)

    from lensbench.datasets.sources import Folder
    from lensbench.errors import LensbenchError
    from lensbench.languages import languages
    from lensbench.tasks import TaskRegistry
    from lensbench.tasks.lint import lint

    folder = home / "x"
    for name, content in given.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.replace(b"MARK", str(home / "mark").encode()))
    code = f"open({str(home / 'mark')!r}, 'w')\ndef ask(doc): return 'x'\ndocs = rows = results = ask\n"
    (folder / "folder").mkdir()
    for name in ("mine.py", "folder/folder.py"):
        (folder / name).write_text(code)
    before = _tree(home)
    began, here = time.process_time(), Path.cwd()

    def late(*_: Any) -> None:
        raise TooLongError

    handler = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, WALL_SECONDS)
    os.chdir(folder)
    try:
        for door in (
            lambda: _good_is_found(TaskRegistry([folder]), given),
            lambda: TaskRegistry([folder]).find("toy", "lm-eval"),
            lambda: [*lint([folder / "toy.yaml"], Folder(folder / "data"))],
            languages,
        ):
            try:
                door()
            except LensbenchError as error:
                str(error).encode("utf-8")
    except TooLongError:
        return "hangs"
    except BaseException:
        return traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        os.chdir(here)
        forget_languages()
    if _tree(home) != before:
        return f"wrote {sorted(_tree(home) ^ before)}"
    spent = time.process_time() - began
    return f"took {spent:.1f} s" if spent > SECONDS else None


def _good_is_found(registry: Any, given: Hostile) -> None:
    """One file that is wrong does not block the others of its folder."""
    if given.files["good.yaml"] == TASK.replace("task: toy", "task: good").encode():
        assert registry.find("good", "lm-eval").name == "good"


def forget_languages() -> None:
    """The table of a folder that an input brought is not that of the next."""
    from lensbench.languages import table

    table._added.clear()
    table._table.cache_clear()


def _tree(home: Path) -> set[str]:
    return {str(path.relative_to(home)) for path in home.rglob("*")}


def failures(seeds: range, home: Path) -> Iterator[tuple[int, str]]:
    """Seed and fault of each input that does harm."""
    import shutil

    for seed in seeds:
        place = home / str(seed)
        place.mkdir()
        fault = attempt(hostile(seed), place)
        shutil.rmtree(place)
        if fault is not None:
            yield seed, fault


if __name__ == "__main__":
    import tempfile

    count, first = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    with tempfile.TemporaryDirectory() as scratch:
        found = list(failures(range(first, first + count), Path(scratch)))
    for seed, fault in found:
        print(f"--- seed {seed}\n{fault}")
    print(f"{count} inputs, {len(found)} that do harm")
    sys.exit(bool(found))
