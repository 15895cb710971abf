"""What the author of a task is told: the file, the key, the nearest name, what was not looked at, and what to do."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile_tasks import ROW, TASK, errors, findings, write

from lensbench.errors import UsageError
from lensbench.plan.plan import make_plan
from lensbench.plan.request import RunRequest
from lensbench.tasks import parse_task

ROOT = Path(__file__).parents[2]
HUNGARIAN = "hu: {name: Hungarian, script: Latn, iso3: hun}\n"


def _plan(*languages: str, tasks: tuple[str, ...] = ("xcopa",), **more: Any) -> Any:
    return make_plan(RunRequest(backbone="smollm2-135m", languages=languages, tasks=tasks, data="embedded", **more))


def test_a_rule_of_the_whole_file_is_told_in_our_words(tmp_path: Path) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text("task: toy\nlanguages: {sw: {}}\n")
    with pytest.raises(UsageError) as caught:
        parse_task(path)
    assert caught.value.message.startswith(f"{path}: needs 'rows'") and "Value error" not in caught.value.message


@pytest.mark.parametrize(("key", "line"), [("doc_to_text", 6), ("doc_to_choice", 7)])
def test_a_misspelt_column_names_file_key_and_column(tmp_path: Path, key: str, line: int) -> None:
    text = TASK.replace("{{ q }}", "{{ q }} {{ hnit }}") if key == "doc_to_text" else TASK.replace("[a, b]", "[a, hnit]")
    write(tmp_path, text, [{**ROW, "q": f"Wapi {i}?", "a": f"Hapa {i}", "hint": f"x {i}"} for i in range(4)])
    found = errors(tmp_path)
    assert f"{tmp_path / 'toy.yaml'}, line {line}: {key}: 'hnit'" in found and "Did you mean 'hint'?" in found, found


def test_a_task_without_a_profile_is_told_which_it_has(tmp_path: Path) -> None:
    write(tmp_path, TASK.replace("profile: lm-eval\n", ""))
    said = [message for level, message in findings(tmp_path) if level == "warning"]
    assert any("names no profile, so it has the default 'lm-eval'" in message for message in said), said
    write(tmp_path / "named")
    assert not [message for level, message in findings(tmp_path / "named") if "profile" in message and level == "warning"]


def test_languages_that_were_not_looked_at_are_named(tmp_path: Path) -> None:
    write(tmp_path, TASK.replace("{sw: {}}", "{sw: {}, zh: {}}"))
    found = findings(tmp_path)
    assert [level for level, _ in found] == ["warning", "ok"]
    assert "hub" not in found[0][1] and "toy/zh/test.jsonl" in found[0][1], "this set is on no hub"
    assert "rendered in sw" in found[1][1] and "not looked at, without rows there: zh" in found[1][1]
    write(tmp_path / "none", TASK.replace("{sw: {}}", "{zh: {}}"))
    assert [level for level, _ in findings(tmp_path / "none")] == ["warning", "warning"], "nothing was checked but the file"


def test_validate_takes_further_folders(tmp_path: Path, cli: Callable[..., Any]) -> None:
    path = write(tmp_path / "task", TASK.replace("profile: lm-eval", "profile: mine").replace("sw", "hu"))
    (tmp_path / "task" / "data" / "toy" / "sw").rename(tmp_path / "task" / "data" / "toy" / "hu")
    more = tmp_path / "more"
    (more / "profiles").mkdir(parents=True)
    (more / "languages.yaml").write_text(HUNGARIAN)
    (more / "profiles" / "mine.yaml").write_text(
        "profile: mine\ntitle: Mine\nabout: As it is.\nchat: false\nscoring: loglikelihood\n"
    )
    command = ("tasks", "validate", path, "--data", tmp_path / "task" / "data")
    assert cli(*command).returncode == 2
    done = cli(*command, "--include-path", more)
    assert done.returncode == 0 and "rendered in hu" in done.stdout, done.stdout + done.stderr


def test_a_languages_file_of_a_data_folder_is_listed(tmp_path: Path, cli: Callable[..., Any]) -> None:
    (tmp_path / "languages.yaml").write_text(HUNGARIAN)
    done = cli("ls", "languages", "--data", tmp_path)
    assert done.returncode == 0 and "Hungarian" in done.stdout
    assert "Hungarian" not in cli("ls", "languages").stdout
    nowhere = cli("ls", "languages", "--data", tmp_path / "nowhere")
    assert nowhere.returncode == 2 and "no data folder at" in nowhere.stderr
    refused = cli("ls", "tasks", "--data", tmp_path)
    assert refused.returncode == 2 and "--data" in refused.stderr and "languages" in refused.stderr


@pytest.mark.parametrize("english", [True, False])
def test_a_run_names_the_remedy_for_a_language(tmp_path: Path, english: bool) -> None:
    (tmp_path / "languages.yaml").write_text(HUNGARIAN)
    with pytest.raises(UsageError) as caught:
        _plan("hu", english=english, include=(tmp_path,))
    said = str(caught.value)
    assert "xcopa has no 'hu'" in said and "`lensbench tasks show xcopa --profile lens-paper`" not in said
    assert "lensbench tasks show xcopa -p lens-paper" in said and "hu: {}" in said, said


def test_a_run_names_the_profiles_that_have_the_language(tmp_path: Path) -> None:
    (tmp_path / "languages.yaml").write_text(HUNGARIAN)
    text = (ROOT / "tasks" / "xcopa.lm-eval.yaml").read_text(encoding="utf-8")
    (tmp_path / "xcopa.yaml").write_text(text.replace("languages:\n", "languages:\n  hu: {vars: {cause: mert, effect: ezért}}\n"))
    with pytest.raises(UsageError) as caught:
        _plan("hu", include=(tmp_path,))
    assert "It has 'hu' under profile lm-eval: write xcopa@lm-eval." in str(caught.value)


def test_the_steps_for_a_language_from_outside_work_as_written(tmp_path: Path, cli: Callable[..., Any]) -> None:
    page = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
    section = page.partition("## A language from outside, step by step")[2].partition("\n## ")[0]
    blocks = {kind: textwrap.dedent(text) for kind, text in re.findall(r"^ +```(yaml|json)\n(.*?)^ +```", section, re.M | re.S)}
    tasks, rows = tmp_path / "my-tasks", tmp_path / "my-data" / "xcopa" / "hu"
    tasks.mkdir()
    rows.mkdir(parents=True)
    (tasks / "languages.yaml").write_text(blocks["yaml"], encoding="utf-8")
    (rows / "test.jsonl").write_text(blocks["json"], encoding="utf-8")
    commands = re.findall(r"^ +\$ lensbench (.*)$", section, re.M)
    assert len(commands) == 4
    said = ""
    for command in commands:
        words, _, target = command.partition(" > ")
        done = cli(*words.split(), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        said += done.stdout
        if target:
            copy = tmp_path / target
            copy.write_text(done.stdout.replace("\nlanguages:\n", "\nlanguages:\n  hu: {}\n"), encoding="utf-8")
            assert "  hu: {}" in copy.read_text(encoding="utf-8")
    assert "sample items rendered in hu" in said and "Premise: Kinyitottam a csapot." in said


def test_a_shipped_task_file_is_shown_with_its_path(cli: Callable[..., Any]) -> None:
    path = ROOT / "tasks" / "xcopa.lm-eval.yaml"
    text = path.read_text(encoding="utf-8")
    done = cli("tasks", "show", "xcopa", "--profile", "lm-eval")
    assert done.returncode == 0 and done.stdout == f"# {path}\n{text}"
    found = json.loads(cli("tasks", "show", "xcopa", "--json").stdout)
    assert {one["profile"] for one in found} == {"lens-paper", "lm-eval"} and all(one["name"] == "xcopa" for one in found)
    assert {one["profile"]: one["text"] for one in found}["lm-eval"] == text
    wrong = cli("tasks", "show", "xcopaa")
    assert wrong.returncode == 2 and "Did you mean 'xcopa'?" in wrong.stderr
    other = cli("tasks", "show", "xcopa", "-p", "open")
    assert other.returncode == 2 and "It has: lens-paper, lm-eval" in other.stderr
