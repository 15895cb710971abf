"""Messages below the command line name arguments; the command line writes them as flags."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest

from lensbench.cli import _COMMANDS
from lensbench.cli.flags import all_with_flags, error_text, flag, with_flags
from lensbench.errors import UsageError, in_words
from lensbench.plan.plan import make_plan
from lensbench.plan.request import RunRequest

PACKAGE = Path(__file__).parents[2] / "lensbench"
FOREIGN = {
    "--porcelain",
    "--no-deps",
    "--upgrade",
    "--target",
    "--log_samples",
    "--include_path",
    "--model",
    "--output_path",
    "--apply_chat_template",
}
"""Flags of git, pip and lm-eval."""


def texts(*, below_cli: bool) -> Iterator[tuple[Path, str]]:
    """Every text of the package with the file it stands in; what an f-string puts in is left out."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if below_cli and path.relative_to(PACKAGE).parts[0] in ("cli", "errors.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield path, "".join(v.value if isinstance(v, ast.Constant) else "{}" for v in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield path, node.value


def flags_of_all_commands() -> set[str]:
    found: set[str] = set()
    waiting: list[click.Command] = [import_module(module).command for module, _ in _COMMANDS.values()]
    while waiting:
        command = waiting.pop()
        waiting += command.commands.values() if isinstance(command, click.Group) else []
        found |= {word for parameter in command.params for word in (*parameter.opts, *parameter.secondary_opts)}
    return found


def test_no_message_below_the_command_line_holds_a_flag() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)}: {found}"
        for path, text in texts(below_cli=True)
        for found in re.findall(r"(?<![\w-])--[a-z][a-z_-]+", text)
        if found not in FOREIGN
    ]
    assert not wrong, "\n".join(wrong)


def test_every_argument_of_a_message_is_a_flag_of_a_command() -> None:
    known, seen = flags_of_all_commands(), set()
    for path, text in texts(below_cli=False):
        if path.name == "errors.py":
            continue
        for name, value in re.findall(r"``([a-z_]+)(?:=(.*?))?``", text, flags=re.DOTALL):
            spelled = flag(name, value or None).split()[0]
            assert spelled in known, f"{path.relative_to(PACKAGE)}: ``{name}`` would be {spelled}, which no command has"
            seen.add(name)
    assert {"limit", "out", "variants", "overrides", "data_parallel", "max_usd", "prefer"} <= seen


@pytest.mark.parametrize(
    ("text", "python", "command"),
    [
        ("``limit`` must be at least 1", "limit must be at least 1", "--limit must be at least 1"),
        ("Example: ``languages=zh,ja``", "Example: languages=zh,ja", "Example: --languages zh,ja"),
        ("``num_fewshot=5``: none", "num_fewshot=5: none", "--num-fewshot 5: none"),
        ("``trust_model=True`` lets it", "trust_model=True lets it", "--trust-model lets it"),
        ("``english=False`` leaves none", "english=False leaves none", "--no-english leaves none"),
        ("``overrides=lens.rank=2``", "overrides=lens.rank=2", "--set lens.rank=2"),
        ("``variants=wide=lens:rank=1``: no", "variants=wide=lens:rank=1: no", "--variant wide=lens:rank=1: no"),
        ("give another ``to``", "give another to", "give another --to"),
        ("`output_type: x` and `limit`", "`output_type: x` and `limit`", "`output_type: x` and `limit`"),
        ("plain --limit", "plain --limit", "plain --limit"),
    ],
)
def test_both_spellings(text: str, python: str, command: str) -> None:
    assert in_words(text) == python and with_flags(text) == command
    assert all_with_flags({"a": [text, 1, None]}) == {"a": [command, 1, None]}


def test_one_error_speaks_to_both(cli: Callable[..., Any]) -> None:
    with pytest.raises(UsageError) as caught:
        make_plan(RunRequest(backbone="smollm2-135m", data="embedded", limit=0))
    assert str(caught.value) == "limit must be at least 1, found 0"
    assert error_text(caught.value) == "--limit must be at least 1, found 0"
    done = cli("run", "-b", "smollm2-135m", "--data", "embedded", "--limit", "0")
    assert done.returncode == 2 and done.stderr == "lensbench: --limit must be at least 1, found 0\n"
