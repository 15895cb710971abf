"""Every option of every command with values that are wrong: a message and exit code 2 or 1, never a traceback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from judged_run import build_run

from lensbench.cli import cli as lensbench
from lensbench.cli.flags import error_text
from lensbench.errors import LensbenchError

NUMBERS = ("nan", "inf", "-1", "0", "x", "", "99999999999999999999999", "1e400", "0x10", "1_0", "\u0663")
TEXTS = ("", " ", ",", "=", "a" * 5000, "../../x", "\x00", "\ud800", "-", "{{ x }}", "a=b=c", "\u202eabc", "{a: 1}")
PATHS = ("", "\x00", "a" * 300, "/proc/nothing/x", "a\nb", "\ud800", "-")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`cache clear` is among the commands."""
    monkeypatch.setenv("LENSBENCH_CACHE", str(tmp_path))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Words with which each command gets as far as its options."""
    home = tmp_path_factory.mktemp("base")
    run = str(build_run(home / "run", items=1, languages=("en",), awkward=False).path)
    (home / "empty").mkdir()
    return {
        "run": ["-b", "smollm2-135m", "--data", "embedded", "--dry-run"],
        "judge": [run, "-j", "gpt-4o", "--estimate"],
        "fidelity": [run, "-i", "nothing-here"],
        "calibrate": [run],
        "merge": [run, "--to", str(home / "merged")],
        "show": [run],
        "compare": [run, run],
        "report": [run],
        "figure": ["understanding", run, "--out", str(home / "f.svg")],
        "project": [run],
        "table": ["bilingual", run],
        "results": [run],
        "ls": ["tasks"],
        "tasks validate": [str(home / "empty")],
        "tasks show": ["xcopa"],
        "tasks describe": ["xcopa", "-l", "zh", "-b", "nothing"],
        "tasks export": ["xcopa", "--to", str(home / "exported")],
        "fetch": ["-b", "smollm2-135m", "--data", "embedded", "--dry-run"],
        "import-lm-eval": [str(home / "empty"), "--to", str(home / "imported")],
        "data import": [str(home / "empty"), "--to", str(home / "data")],
        "data translate": ["-l", "sw", "--to", str(home / "t"), "-j", "nobody"],
        "doctor": [],
        "cache": [],
        "cache clear": [],
        "cache path": [],
    }


def leaves() -> Iterator[tuple[str, click.Command]]:
    for name in lensbench.list_commands(click.Context(lensbench)):
        command = lensbench.get_command(click.Context(lensbench), name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", found) for inner, found in command.commands.items())
        else:
            yield name, command


def values_of(parameter: click.Parameter) -> tuple[str, ...]:
    if isinstance(parameter.type, click.types.IntParamType | click.types.FloatParamType):
        return NUMBERS
    return PATHS if isinstance(parameter.type, click.Path) else TEXTS


def call(name: str, words: list[str]) -> Result:
    return CliRunner().invoke(lensbench, [*name.split(), *words], standalone_mode=False)


def problem(result: Result) -> str | None:
    error = result.exception
    if error is None or isinstance(error, LensbenchError | click.ClickException | SystemExit | click.Abort):
        return None
    return f"{type(error).__name__}: {error}"


LEAVES = dict(leaves())


@pytest.mark.parametrize("name", [name for name in LEAVES if name != "doctor"])
def test_no_value_of_an_option_ends_in_a_traceback(
    name: str, base: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    wrong = []
    for parameter in LEAVES[name].params:
        if isinstance(parameter, click.Option) and parameter.is_flag:
            continue
        for value in values_of(parameter):
            words = [*base[name], parameter.opts[0], value] if isinstance(parameter, click.Option) else ["--", value]
            found = problem(call(name, words))
            if found:
                wrong.append(f"{name} {parameter.opts[0]} {value[:20]!r}: {found[:300]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("run --limit 0", "--limit"),
        ("run --limit -1", "--limit"),
        ("run --limit nan", "--limit"),
        ("run --num-fewshot -1", "--num-fewshot"),
        ("run --batch-size 0", "--batch-size"),
        ("run --max-new-tokens 0", "--max-new-tokens"),
        ("run --max-usd nan -t open_questions@mt-bench -j gpt-4o", "max-usd"),
        ("run --max-usd -1 -t open_questions@mt-bench -j gpt-4o", "max-usd"),
        ("judge --max-usd nan", "max-usd"),
        ("judge --max-usd -1", "max-usd"),
        ("judge --poll-seconds nan", "poll-seconds"),
        ("judge --poll-seconds -1", "poll-seconds"),
        ("judge --repeats 0", "--repeats"),
        ("run --seed -1", "--seed"),
        ("run --dtype float7", "unknown dtype 'float7'"),
        ("run --dtype int8", "dtype"),
    ],
)
def test_numbers_out_of_range_are_refused_by_name(
    line: str, says: str, base: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    name, *words = line.split()
    result = call(name, [*base[name], *words])
    assert result.exception is not None, result.output
    assert problem(result) is None
    assert isinstance(result.exception, click.UsageError) or getattr(result.exception, "exit_code", None) == 2
    assert says in (
        result.exception.format_message() if isinstance(result.exception, click.UsageError) else error_text(result.exception)
    )


@pytest.mark.parametrize("value", ["", " ", ","])
def test_no_language_is_not_the_default(value: str, base: dict[str, list[str]]) -> None:
    result = call("run", [*base["run"], "--languages", value])
    assert problem(result) is None
    if result.exception is None:
        assert "languages en" in result.output, "the untouched backbone in English"


def test_the_last_of_a_repeated_option_counts(base: dict[str, list[str]]) -> None:
    result = call("run", [*base["run"], "--json", "--limit", "3", "--limit", "5"])
    assert json.loads(result.output)["spec"]["limit"] == 5


def test_every_command_is_swept(base: dict[str, list[str]]) -> None:
    assert set(base) >= set(LEAVES)


def test_examples_of_a_split_that_a_stand_in_lacks(base: dict[str, list[str]]) -> None:
    """A plan with few-shot examples looks for them under every row definition, also one that has no such split."""
    assert call("run", [*base["run"], "--num-fewshot", "5"]).exception is None
