"""Every command with arguments of its own, and what it says where an extra is missing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import click
from judged_run import build_run

from lensbench.cli import cli as lensbench

METHODS = ("lens", "incline", "xsft", "xsft-full", "qalign", "sdrrl")


def make_runs(folder: Path, cli: Callable[..., Any], model: Path) -> dict[str, str]:
    """A run that an installation with everything made, and one whose answers wait for a judge."""
    done = cli(
        "run",
        "--method",
        "lens",
        "--backbone",
        model,
        "--data",
        "embedded",
        "--tasks",
        "xcopa,multiq",
        "--limit",
        "3",
        "--set",
        "n_probe=8",
        "--set",
        "n_parallel=16",
        "--set",
        "warmup_ratio=0",
        "--max-new-tokens",
        "4",
        "--out",
        folder / "run",
    )
    assert done.returncode == 0, done.stderr
    build_run(folder / "judged", items=1, languages=("en",), awkward=False)
    release = folder / "release" / "xcopa" / "data" / "it" / "test.it.jsonl"
    release.parent.mkdir(parents=True)
    row = {"premise": "Piove.", "choice1": "Esco.", "choice2": "Resto.", "question": "effect", "label": 1, "changed": False}
    release.write_text("".join(json.dumps({**row, "idx": n}) + "\n" for n in range(4)))
    return {"RUN": str(folder / "run"), "JUDGED": str(folder / "judged"), "MODEL": str(model), "RELEASE": str(folder / "release")}


def needs() -> list[tuple[str, set[str]]]:
    """Commands, and the extras that each needs. RUN, JUDGED and MODEL are folders, OUT a name that is free."""
    table: list[tuple[str, set[str]]] = [(f"{' '.join(words)} --help", set()) for words in command_names()]
    table += [(f"ls {kind}", set()) for kind in ("methods", "backbones", "tasks", "languages", "profiles", "judges")]
    table += [(f"run --method {m} --backbone llama3-8b --dry-run", set()) for m in (*METHODS, ",".join(METHODS))]
    table += [
        ("run --backbone smollm2-135m --data embedded --dry-run --json", set()),
        ("show RUN", set()),
        ("report RUN --html OUT.html", set()),
        ("compare RUN RUN --variant base --with lens", set()),
        ("table bilingual RUN", set()),
        ("tasks export xcopa --to OUT --languages zh", set()),
        ("data import RELEASE --to OUT", set()),
        ("import-lm-eval RUN/lm_eval/base --to OUT", set()),
        ("doctor", set()),
        ("results RUN --parquet", {"report"}),
        ("figure understanding RUN --out OUT.svg", {"report"}),
        ("fidelity RUN --identifier lid176", {"lid"}),
        ("judge JUDGED --judge gpt-4o --estimate", {"judge"}),
        ("tasks validate", {"engines"}),
        ("tasks describe xcopa --language zh --backbone MODEL", {"engines"}),
        ("run --backbone MODEL --data embedded --tasks xcopa --limit 1 --out OUT", {"engines"}),
        ("merge RUN --to OUT", {"engines"}),
        ("project RUN --data embedded --limit 2", {"engines"}),
    ]
    return table


def command_names() -> Iterator[list[str]]:
    yield []
    for name in lensbench.list_commands(click.Context(lensbench)):
        yield [name]
        command = lensbench.get_command(click.Context(lensbench), name)
        if isinstance(command, click.Group):
            yield from ([name, inner] for inner in command.commands)


def words(line: str, runs: dict[str, str], out: Path) -> list[str]:
    for name, value in {**runs, "OUT": str(out)}.items():
        line = " ".join(value + w[len(name) :] if w.partition("/")[0].partition(".")[0] == name else w for w in line.split(" "))
    return [word for word in line.split(" ") if word]


def problem_of(done: CompletedProcess[str], lacking: set[str]) -> str | None:
    if "Traceback" in done.stderr:
        return "a traceback"
    if lacking:
        named = all(f"pip install 'lensbench[{extra}]'" in done.stderr for extra in lacking)
        return None if done.returncode == 1 and named else f"does not name {lacking}"
    return None if done.returncode == 0 else "does not work"
