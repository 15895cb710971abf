"""Results and samples files of lm-eval, spoiled from a seed, and read through every door: import, show, compare, report.

What may come out is a `LensbenchError`, or a run whose every accuracy is the mean of the samples that were in the files.
"""

from __future__ import annotations

import copy
import io
import json
import os
import random
import shutil
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from lensbench.errors import LensbenchError

__all__ = ["spoil", "try_one", "write_results"]

DATE = "2025-07-21T14-41-47.889425"
TASK = "xcopa_sw"
ITEMS = 4
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    -1,
    0,
    3,
    2**70,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    "",
    " ",
    "x",
    "nan",
    "1e999",
    "True",
    "\ud83d",
    "\x1b[31m\x07\x00\x9b\u202e",
    "../../../MARK",
    "/MARK",
    "a/b",
    "..",
    "CON",
    "\u0301",
    "x" * 10_000,
    [],
    ["x"],
    [[]],
    {},
    {"x": 1},
    [[["-1.0", "False"]]],
    [None],
    [["nan", "False"]],
    "2025-07-21",
)
NAMES = (
    "../../MARK",
    "/MARK",
    "a/b",
    "..",
    ".",
    "",
    " ",
    "\u0301\u0301",
    "x" * 10_000,
    "\x1b[2J",
    "\u202e",
    "CON",
    "xcopa_zh",
    "a\n",
    "a,b",
    "acc,none",
    "acc",
    "\ud83d",
    "xcopa_sw ",
    "*",
    "[x]",
)


def write_results(folder: Path, name: str, correct: int) -> None:
    """A results file and the samples beside it, as lm-eval 0.4.8 writes them; the first `correct` of four items are right."""
    folder.mkdir(parents=True)
    metrics = [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}]
    content = {
        "results": {TASK: {"alias": TASK, "acc,none": correct / ITEMS, "acc_stderr,none": 0.1}},
        "group_subtasks": {TASK: []},
        "configs": {TASK: {"task": TASK, "output_type": "multiple_choice", "metric_list": metrics, "metadata": {"version": 1.0}}},
        "versions": {TASK: 1.0},
        "n-shot": {TASK: 0},
        "higher_is_better": {TASK: {"acc": True}},
        "n-samples": {TASK: {"original": ITEMS, "effective": ITEMS}},
        "config": {"model": "hf", "model_args": f"pretrained=org/{name}", "model_dtype": "torch.bfloat16", "model_sha": "5" * 40},
        "model_source": "hf",
        "model_name": f"org/{name}",
        "model_name_sanitized": f"org__{name}",
        "lm_eval_version": "0.4.9",
        "date": 1.7e9,
        "chat_template": None,
        "task_hashes": {TASK: "f" * 64},
    }
    (folder / f"results_{DATE}.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    lines = []
    for number in range(ITEMS):
        asked = {f"gen_args_{i}": {"arg_0": f"question {number}", "arg_1": f" {letter}"} for i, letter in enumerate("AB")}
        replies = [["-1.0", "False"], ["-2.0", "False"]]
        lines.append(
            {
                "doc_id": number,
                "doc": {"q": f"question {number}"},
                "target": "0",
                "arguments": asked,
                "resps": [[reply] for reply in replies],
                "filtered_resps": replies,
                "filter": "none",
                "metrics": ["acc"],
                "doc_hash": f"{number:064}",
                "prompt_hash": f"{number:064}",
                "target_hash": "0" * 64,
                "acc": float(number < correct),
            }
        )
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / f"samples_{TASK}_{DATE}.jsonl").write_text(text, encoding="utf-8")


def spoil(folder: Path, draw: random.Random) -> str:
    """Change one thing of one of the two files; returns what."""
    path = draw.choice(sorted(folder.iterdir()))
    kind = draw.choice(list(_KINDS))
    _KINDS[kind](path, draw)
    return f"{kind} {path.name.partition('_')[0]}"


def _value(path: Path, draw: random.Random) -> None:
    """Values of the JSON become others, are lost, stand there twice, or get another name."""
    samples = path.suffix == ".jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if samples else [path.read_text(encoding="utf-8")]
    number = draw.randrange(len(lines))
    content = json.loads(lines[number])
    for _ in range(draw.randint(1, 2)):
        holder, key = draw.choice(list(_places(content)) or [({"x": 1}, "x")])
        how = draw.random()
        if how < 0.2:
            holder.pop(key)
        elif how < 0.45 and isinstance(holder, dict):
            value = holder[key] if how < 0.3 else holder.pop(key)
            holder[draw.choice(NAMES)] = copy.deepcopy(value)
        else:
            holder[key] = draw.choice(VALUES)
    lines[number] = json.dumps(content)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _places(value: Any) -> Any:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield value, key
        yield from _places(part)


def _task_renamed(path: Path, draw: random.Random) -> None:
    """The task has another name everywhere in the file."""
    name = draw.choice(NAMES)
    path.write_text(path.read_text(encoding="utf-8").replace(json.dumps(TASK), json.dumps(name)), encoding="utf-8")


def _lines(path: Path, draw: random.Random) -> None:
    """Lines are lost, doubled, or stand in another order."""
    lines = path.read_bytes().splitlines(keepends=True)
    place = draw.randrange(len(lines))
    how = draw.choice(("gone", "twice", "shuffled", "blank", "bom", "cr"))
    if how == "gone":
        del lines[place]
    elif how == "twice":
        lines.insert(place, lines[place])
    elif how == "shuffled":
        draw.shuffle(lines)
    elif how == "blank":
        lines.insert(place, b" \n")
    content = b"".join(lines)
    path.write_bytes({"bom": b"\xef\xbb\xbf" + content, "cr": content.replace(b"\n", b"\r\n")}.get(how, content))


def _bytes(path: Path, draw: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(draw.randint(1, 6)):
        content[draw.randrange(len(content))] = draw.randrange(256)
    path.write_bytes(bytes(content[: draw.randrange(len(content))] if draw.random() < 0.3 else content))


def _whole(path: Path, draw: random.Random) -> None:
    contents = (
        b"",
        b"null",
        b"[]",
        b"[1]",
        b"{}",
        b'"x"',
        b"[" * 100_000,
        b"NaN",
        b"9" * 5000,
        b"<html></html>",
        b'{"results": []}',
        b'{"results": {"x": {"acc,none": "y"}}}',
        b"\x00" * 50,
        b"version https://git-lfs.github.com/spec/v1\n",
    )
    path.write_bytes(draw.choice(contents))


def _no_file(path: Path, draw: random.Random) -> None:
    path.unlink()
    how = draw.choice(("gone", "folder", "fifo", "itself", "device"))
    if how == "folder":
        path.mkdir()
    elif how == "fifo":
        os.mkfifo(path)
    elif how != "gone":
        path.symlink_to(path.name if how == "itself" else "/dev/zero")


def _file_renamed(path: Path, draw: random.Random) -> None:
    names = ("results.json", "results_x.json", "x.json", "samples_x.jsonl", f"samples_xcopa_{DATE}.jsonl")
    path.rename(path.with_name(draw.choice(names)))


_KINDS: dict[str, Callable[[Path, random.Random], None]] = {
    "task renamed": _task_renamed,
    "lines": _lines,
    "bytes": _bytes,
    "whole": _whole,
    "no file": _no_file,
    "file renamed": _file_renamed,
    **{f"value{n}": _value for n in range(8)},
}


def try_one(home: Path, seed: int) -> list[str]:
    """What goes wrong with one spoiled pair of models; nothing where all ends in words or in right numbers."""
    from lensbench.cli import cli

    draw = random.Random(seed)
    shutil.rmtree(home, ignore_errors=True)
    for name, correct in (("a", 1), ("b", 3)):
        write_results(home / "in" / name, name, correct)
    what = spoil(home / "in" / draw.choice("ab"), draw)
    before, run = _tree(home), home / "out" / "run"
    os.environ["LENSBENCH_CACHE"] = str(home / "out" / "cache")
    (home / "out").mkdir()
    found = []
    for arguments in (
        ["import-lm-eval", f"{home}/in/a", f"b={home}/in/b", "--to", str(run)],
        ["show", str(run)],
        ["report", str(run), "--html", f"{home}/out/r.html"],
        ["compare", f"{home}/in/a", f"{home}/in/b"],
    ):
        if arguments[0] in ("show", "report") and not run.exists():
            continue
        out, err = _terminal(), _terminal()
        try:
            with redirect_stdout(out), redirect_stderr(err):
                cli.main(args=arguments, standalone_mode=False)
        except (LensbenchError, SystemExit):
            pass
        except BaseException as error:
            place = error.__traceback__
            while place is not None and place.tb_next is not None:
                place = place.tb_next
            where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place is not None else ""
            found.append(f"seed {seed}: {what}: {arguments[0]}: {type(error).__name__}: {str(error)[:200]!r} at {where}")
        told = (out.buffer.getvalue() + err.buffer.getvalue()).decode("utf-8")  # type: ignore[attr-defined]
        odd = sorted({c for c in told if c in "\x00\x07\x1b\x9b\u202e"})
        found += [f"seed {seed}: {what}: {arguments[0]} prints {odd}"] if odd else []
    new = {path for path in _tree(home) - before if not path.startswith("out/")}
    found += [f"seed {seed}: {what}: wrote {sorted(new)}"] if new else []
    return found + [f"seed {seed}: {what}: {fault}" for fault in _wrong_numbers(run)]


def _wrong_numbers(run: Path) -> list[str]:
    """Accuracies of the run that are not the mean of its own records."""
    if not (run / "results.json").is_file():
        return []
    results = json.loads((run / "results.json").read_text(encoding="utf-8"), parse_constant=_no_constant)
    records = [json.loads(line) for line in (run / "items" / "score.jsonl").read_text(encoding="utf-8").splitlines() if line]
    faults = []
    for cell in results["cells"]:
        mine = [r["metrics"].get(cell["metric"]) for r in records if (r["task"], r["variant"]) == (cell["task"], cell["variant"])]
        scores = [score for score in mine if score is not None]
        if (
            scores
            and cell["metric"] == "acc"
            and cell["value"] is not None
            and abs(cell["value"] - sum(scores) / len(scores)) > 1e-9
        ):
            faults.append(f"{cell['task']} {cell['variant']} is {cell['value']}, its items give {sum(scores) / len(scores)}")
    return faults


def _no_constant(name: str) -> Any:
    raise AssertionError(f"{name} in results.json")


def _terminal() -> io.TextIOWrapper:
    """As strict about what it is given as a terminal's stream."""
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)


def _tree(home: Path) -> set[str]:
    return {str((Path(folder) / name).relative_to(home)) for folder, _, names in os.walk(home) for name in names}
