"""The documentation is true: its commands parse, what it names exists, its tables agree with the code, its example runs."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from lensbench.backbones import get_backbone
from lensbench.cli import cli as lensbench
from lensbench.languages import get_language, parse_languages
from lensbench.methods import config_model, get_method
from lensbench.methods.lens.config import PRESETS, LensConfig
from lensbench.plan.variant_text import parse_variant
from lensbench.tasks import TaskRegistry

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "task-opposites"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]
TOPS = "lensbench|tasks|tests|docs|examples|experiments|bench|judges|reports|.ci"


def code_blocks(text: str) -> list[str]:
    return re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)


def inline_code(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))


def commands() -> list[tuple[str, str]]:
    """(page, command line) of every whole `lensbench` command, and of those named in running text."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        lines = [line for block in code_blocks(text) for line in block.splitlines()] + inline_code(text)
        found += [(page.name, line) for line in lines if re.match(r"lensbench [a-z-]", line)]
    return found


def leaf(words: list[str]) -> tuple[click.Command, click.Context, list[str]]:
    """The command that words name, its context without values, and the words left for it."""
    command: click.Command = lensbench
    context = click.Context(lensbench, info_name="lensbench")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        assert found is not None, f"no command '{words[0]}'"
        command, context = found, click.Context(found, parent=context, info_name=words[0])
        words = words[1:]
    return command, context, words


def parse(line: str) -> dict[str, object]:
    """Parse a command line as the shell would hand it over, without calling it; folders on a reader's disk need not exist."""
    command, context, words = leaf(shlex.split(line, comments=True)[1:])
    with pytest.MonkeyPatch.context() as patch:
        for parameter in command.params:
            if isinstance(parameter.type, click.Path):
                patch.setattr(parameter.type, "exists", False)
        return command.make_context(str(context.info_name), words, parent=context.parent).params


def test_there_are_commands_to_check() -> None:
    whole = [line for _, line in commands() if "--" in line]
    assert len(whole) > 15 and any("tasks describe" in line for line in whole) and any("data import" in line for line in whole)


@pytest.mark.parametrize("wrong", ["lensbench rum", "lensbench run --backbone x --langs zh", "lensbench judge", "lensbench show"])
def test_a_wrong_command_would_be_found(wrong: str) -> None:
    with pytest.raises((AssertionError, click.UsageError)):
        parse(wrong)


@pytest.mark.parametrize(("page", "line"), [c for c in commands() if len(shlex.split(c[1], comments=True)) > 3])
def test_commands_parse_and_name_what_exists(page: str, line: str) -> None:
    values = parse(line)
    registry = TaskRegistry([ROOT / path for path in values.get("include") or ()])
    tasks = values.get("tasks") or ()
    names = tasks.split(",") if isinstance(tasks, str) else [*tasks, *([values["task"]] if values.get("task") else [])]
    for name in names:
        entry = registry.find(name, str(values.get("profile", "lens-paper")))
        codes = parse_languages(str(values["languages"])) if values.get("languages") else ()
        assert set(codes) <= set(entry.file.languages)
    if values.get("language"):
        get_language(str(values["language"]))
    methods = [name for text in values.get("method") or () for name in str(text).split(",") if name]
    if line.startswith("lensbench run"):
        for variant in map(parse_variant, map(str, values.get("variants") or ())):
            known = config_model(variant.method)[0].model_fields if variant.method else {}
            assert {key.partition(".")[0] for key in variant.settings} <= set(known), line
    fields = {field for name in methods for field in config_model(get_method(name).name)[0].model_fields}
    given = values.get("backbone") or ()
    for name in (given,) if isinstance(given, str) else given:
        if not name.startswith("./"):
            get_backbone(name)
    for override in values.get("overrides") or ():
        key, *rest = str(override).partition("=")[0].split(".")
        assert (rest[0] if key in methods else key) in fields


@pytest.mark.parametrize(("page", "line"), [c for c in commands() if len(shlex.split(c[1], comments=True)) <= 3])
def test_commands_in_running_text_exist(page: str, line: str) -> None:
    command, _, words = leaf(shlex.split(line)[1:])
    assert command is not lensbench or words
    known = {flag for parameter in command.params for flag in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known | {"--help", "--version"}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_and_named_files_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    missing = [link for link in links if link and not (page.parent / link).exists()]
    named = [code for code in inline_code(text) if re.fullmatch(rf"({TOPS})/[\w./*-]*", code)]
    missing += [name for name in named if not any(ROOT.glob(name.rstrip("/")))]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    assert set(re.findall(r"(?:`| {4})make ([a-z-]+)", page.read_text(encoding="utf-8"))) <= targets


def test_the_configuration_table_is_the_configuration() -> None:
    text = (ROOT / "docs" / "lens.md").read_text(encoding="utf-8")
    section = text.partition("## Configuration")[2].partition("\n## ")[0]
    rows = [[cell.strip().strip("`") for cell in line.split("|")[1:5]] for line in section.splitlines() if line.startswith("| `")]
    assert [name for name, *_ in rows] == list(LensConfig.model_fields)
    for name, default, paper, official in rows:
        value = LensConfig.model_fields[name].default
        # YAML reads 1e-05 as text; a float of the same spelling is meant.
        written = float(default) if isinstance(value, float) else yaml.safe_load(default)
        assert written == value, name
        for preset, cell in (("paper", paper), ("official", official)):
            wanted = {**PRESETS[preset], "preset": preset}.get(name)
            assert (yaml.safe_load(cell) if cell else None) == wanted, f"{name}, {preset}"


def test_the_yaml_shown_is_the_yaml_there_is() -> None:
    text = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
    blocks = code_blocks(text)
    assert (EXAMPLE / "opposites.yaml").read_text(encoding="utf-8") in blocks
    assert (EXAMPLE / "rows" / "opposites.yaml").read_text(encoding="utf-8") in blocks
    assert any(block in (EXAMPLE / "data/opposites/sw/test.jsonl").read_text(encoding="utf-8") for block in blocks)
    quoted = [block for block in blocks if block.startswith("  ") and block.count("\n") == 1]
    shipped = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "tasks").glob("xcopa.*.yaml"))
    assert len(quoted) == 3 and all(block in shipped for block in quoted)


def test_the_example_rows_are_sound() -> None:
    """Parallel, balanced, and no option twice."""
    sides = {}
    for code in ("en", "sw", "zh"):
        lines = (EXAMPLE / "data" / "opposites" / code / "test.jsonl").read_text(encoding="utf-8").splitlines()
        sides[code] = [json.loads(line) for line in lines]
        assert all(len({row["word"], *row["options"]}) == 5 for row in sides[code])
        assert sorted(row["answer"] for row in sides[code]) == sorted("ABCD" * 2)
    keys = [[(row["id"], row["answer"]) for row in rows] for rows in sides.values()]
    assert keys[0] == keys[1] == keys[2]


def test_the_example_validates_and_runs(cli, tiny_model_dir: Path, tmp_path: Path) -> None:
    data = EXAMPLE / "data"
    checked = cli("tasks", "validate", EXAMPLE, "--data", data, "--json")
    assert checked.returncode == 0, checked.stderr
    findings = json.loads(checked.stdout)
    assert [f["level"] for f in findings] == ["ok"] and "en, sw, zh" in findings[0]["message"]

    ran = cli(
        "run",
        "--backbone",
        tiny_model_dir,
        "--languages",
        "sw,zh",
        "--tasks",
        "opposites",
        "--include-path",
        EXAMPLE,
        "--data",
        data,
        "--out",
        tmp_path / "run",
    )
    assert ran.returncode == 0, ran.stderr
    cells = json.loads((tmp_path / "run" / "results.json").read_text(encoding="utf-8"))["cells"]
    assert [(c["task"], c["language"], c["variant"], c["n"], c["failures"]) for c in cells] == [
        ("opposites", code, "base", 8, 0) for code in ("en", "sw", "zh")
    ]


def test_a_refused_function_is_named_with_its_file(cli, tmp_path: Path) -> None:
    path = tmp_path / "theirs_sw.yaml"
    path.write_text("task: theirs_sw\ndataset_path: some/set\ntest_split: test\ndoc_to_text: !function code.text\n")
    refused = cli("tasks", "validate", path)
    assert refused.returncode == 2
    assert f"{path}, line 4: '!function code.text'" in refused.stdout and "--trust" in refused.stdout
